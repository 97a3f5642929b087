import type { Random } from "../tests/support/random.ts";

/**
 * Something that reads what others have written. An input is one string: of
 * bytes, one a character, or of text. It says all, so that a case that failed
 * once can be kept: how bytes are cut up follows from them too.
 */
export interface Target {
  readonly name: string;
  /** A million, where that takes no more than a minute or two. */
  readonly inputs: number;
  /** What means something to the reader. */
  readonly words: readonly string[];
  /** Whether a character is a byte. */
  readonly binary: boolean;
  /** An input that is right, or nearly. */
  generate(random: Random): string;
  /** Throws where the reader breaks a promise. */
  check(input: string): void | Promise<void>;
}

/** Whoever has added a key to all objects has to answer for it. */
export function assertUnpolluted(): void {
  for (const key in {}) {
    delete (Object.prototype as unknown as Record<string, unknown>)[key];
    throw new Error(`every object has got the key ${JSON.stringify(key)}`);
  }
}

export function check(condition: boolean, what: () => string): void {
  if (!condition) throw new Error(what());
}

export function same(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [shown(found), shown(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

export function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
