/**
 * TCPMUX (RFC 1078) for Deno, Bun and Node: the library. Run as a program,
 * this file is the whole command line.
 *
 * @module
 */
export * from "./src/lib.ts";

// In a bundle the main module is the bundle, whose program is another one, and
// some bundlers say of all that it holds that it is main.
if (import.meta.main && import.meta.url.endsWith("/mod.ts")) {
  await (await import("./src/cli/main.ts")).main();
}
