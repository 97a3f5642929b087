export declare const ROOT: string;
export declare const deno: string;
export declare const bun: string;
export declare function node(major: number): string | undefined;
export declare function must(command: string, args: readonly string[]): void;
export declare function systemNode(): string;
