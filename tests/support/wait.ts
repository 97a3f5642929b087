import { readdirSync } from "node:fs";

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `probe` gives something true; throws after `timeout` ms. */
export async function until<T>(
  what: string | (() => string),
  probe: () => T | Promise<T>,
  timeout = 20_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) {
      const wish = typeof what === "string" ? what : what();
      throw new Error(`waited in vain until ${wish}`);
    }
    await sleep(20);
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
