import process from "node:process";
import { fileURLToPath } from "node:url";

/** The words that run a program of `tests/support/` on this very runtime. */
export function onThisRuntime(name: string): string[] {
  const file = fileURLToPath(new URL(name, import.meta.url));
  if ("Deno" in globalThis) {
    return [process.execPath, "run", "-A", "--no-lock", "--no-check", file];
  }
  return [process.execPath, file];
}
