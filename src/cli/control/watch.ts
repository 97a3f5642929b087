/** Text that is shown again each second, on a screen of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { pickTransport } from "../../transport/pick.ts";
import { onSignal, PATIENCE, settlesWithin } from "../system.ts";

/** Milliseconds from one time to the next. */
const PERIOD = 1000;

// ECMA-48, and what xterm has added to it: the other screen, without a cursor,
// whose lines are cut off at its edge.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const CLEAR = "\x1b[2J";

/**
 * Shows lines at the terminal of standard output until a signal ends it, and
 * leaves that as it was.
 *
 * @param look gives the lines of each time
 */
export async function watch(
  look: () => Promise<readonly string[]>,
): Promise<void> {
  const stop = new AbortController();
  const stopped = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve(undefined))
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    onSignal(signal, () => stop.abort());
  }
  const output = (await pickTransport()).output(1);
  const write = (text: string) => output.write(new TextEncoder().encode(text));
  let isShown = false;
  try {
    for (;;) {
      const lines = await Promise.race([look(), stopped]);
      if (lines === undefined) return;
      const text = isShown ? "" : ENTER;
      isShown = true;
      await Promise.race([write(text + screenOf(lines)), stopped]);
      await Promise.race([sleep(PERIOD, undefined, stop), stopped])
        .catch(() => {}); // stopped
    }
  } finally {
    if (isShown) await settlesWithin(PATIENCE, write(LEAVE));
  }
}

/**
 * From the last line to the first, each at its place: what has no place stands
 * in the terminal's last line, and gives way to the line that belongs there.
 */
function screenOf(lines: readonly string[]): string {
  return CLEAR +
    lines.map((line, at) => `\x1b[${at + 1};1H\x1b[K${line}`).reverse()
      .join("");
}
