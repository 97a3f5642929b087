/** Deno for calling C: https://docs.deno.com/runtime/fundamentals/ffi/ */
import { inheritable } from "./inherited.ts";
import { permitted } from "./permission.ts";

/** The member of Deno that calls C, and no more. */
interface DenoFfi {
  dlopen(
    library: string,
    symbols: { close_range: { parameters: string[]; result: string } },
  ): { symbols: { close_range: CloseRange }; close(): void };
}
type CloseRange = (first: number, last: number, flags: number) => number;
declare const Deno: DenoFfi;

const CLOSE_RANGE_CLOEXEC = 4;

/** `Transport.sealInherited` for Deno, which leaves them all inheritable. */
export function denoSeal(): readonly number[] {
  const before = inheritable();
  if (before.length === 0 || !permitted("ffi")) return before;
  try {
    const libc = Deno.dlopen("libc.so.6", {
      close_range: { parameters: ["u32", "u32", "u32"], result: "i32" },
    });
    for (const fd of before) {
      libc.symbols.close_range(fd, fd, CLOSE_RANGE_CLOEXEC);
    }
    libc.close();
  } catch {
    // Another C library, or an old one: then they stay as they are.
  }
  return inheritable();
}
