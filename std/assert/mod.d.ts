/** The assertions that the tests use. */
export declare class AssertionError extends Error {}
export declare function assert(ok: unknown, message?: string): asserts ok;
export declare function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void;
export declare function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void;
// deno-lint-ignore no-explicit-any -- any class, as the library has it
type AnyClass<E> = abstract new (...args: any[]) => E;
export declare function assertInstanceOf<E>(
  actual: unknown,
  expected: AnyClass<E>,
  message?: string,
): asserts actual is E;
export declare function assertThrows<E extends Error = Error>(
  run: () => unknown,
  type?: AnyClass<E>,
  includes?: string,
  message?: string,
): E;
export declare function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  type?: AnyClass<E>,
  includes?: string,
  message?: string,
): Promise<E>;
