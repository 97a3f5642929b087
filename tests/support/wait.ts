import { readdirSync } from "node:fs";

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Milliseconds between two looks. */
const PAUSE = 20;

/** By how much a timer that is late lengthens a deadline, as a multiple. */
const PATIENCE = 10;

/**
 * Polls until `probe` gives something true; throws after `timeout` ms, or
 * later on a machine so loaded that timers are late: what is waited for is
 * late there, too.
 */
export async function until<T>(
  what: string | (() => string),
  probe: () => T | Promise<T>,
  timeout = 30_000,
): Promise<NonNullable<T>> {
  let end = performance.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value;
    const asleep = performance.now();
    if (asleep > end) {
      const wish = typeof what === "string" ? what : what();
      throw new Error(`waited in vain until ${wish}`);
    }
    await sleep(PAUSE);
    end += PATIENCE * Math.max(0, performance.now() - asleep - 2 * PAUSE);
  }
}

/** How many descriptors a process has open. */
export function descriptors(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits until a process has no more descriptors open than it had. */
export async function descriptorsBackTo(
  count: number,
  pid: number | "self" = "self",
): Promise<void> {
  await until(
    `process ${pid} has ${count} descriptors, not ${descriptors(pid)}`,
    () => descriptors(pid) <= count,
  );
}

/** Waits until what earlier tests closed is really gone. */
export async function descriptorsSettled(): Promise<void> {
  let before = -1;
  await until("descriptors stand still", async () => {
    const now = descriptors();
    const still = now === before;
    before = now;
    await sleep(100);
    return still;
  });
}
