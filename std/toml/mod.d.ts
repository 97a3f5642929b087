/** Reads TOML. Throws `SyntaxError`. */
export declare function parse(text: string): Record<string, unknown>;
