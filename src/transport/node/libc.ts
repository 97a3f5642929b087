/** The C library on Node, from 26.1 on: https://nodejs.org/api/ffi.html */
import { LIBC, Libc, LIBC_TYPES, type LibcFunctions } from "../net/libc.ts";

/** Node's module of foreign functions, which older ones do not have. */
interface ForeignModule {
  dlopen(
    library: string,
    symbols: Record<string, { arguments: string[]; return: "i32" }>,
  ): { functions: LibcFunctions };
}

export function nodeLibc(): Libc {
  return new Libc(() => {
    const foreign = withoutWarnings(() =>
      process.getBuiltinModule("node:ffi")
    ) as unknown as ForeignModule | undefined;
    if (foreign === undefined) throw new TypeError("this Node has none");
    const symbols = Object.entries(LIBC_TYPES).map((
      [name, types],
    ) => [name, { arguments: types, return: "i32" as const }]);
    return foreign.dlopen(LIBC, Object.fromEntries(symbols)).functions;
  });
}

/**
 * Loading the module makes Node warn on standard error that it is experimental.
 * The warning comes when the work that is under way has ended.
 */
function withoutWarnings<T>(load: () => T): T {
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  setImmediate(() => {
    for (const listener of listeners) process.on("warning", listener);
  });
  return load();
}
