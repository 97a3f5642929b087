import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError } from "../../errors.ts";
import { permitted } from "../permission.ts";

/** Milliseconds between two looks, and how often it looks. */
const LOOK = { pause: 1, most: 2000 };

/** The module of Deno's debugger, which comes from Node. */
interface Debugger {
  url(): string | undefined;
  close(): void;
}

/**
 * `Transport.closeDebugger`: from 2.9.2 on, Deno opens its debugger on
 * 127.0.0.1:9229 at SIGUSR1, a moment after the program has seen the signal. No
 * setting keeps it from that.
 */
export async function denoCloseDebugger(): Promise<void> {
  if (!permitted("sys")) {
    throw new TcpmuxError(
      "permission_denied",
      "it may be open on 127.0.0.1:9229 (start Deno with deno run -A, or " +
        "reload in place of SIGUSR1)",
    );
  }
  const name = "node:inspector";
  const inspector = process.getBuiltinModule(name) as unknown as Debugger;
  for (let looks = 0; looks < LOOK.most; looks++) {
    if (inspector.url() !== undefined) return inspector.close();
    await sleep(LOOK.pause, undefined, { ref: false });
  }
}
