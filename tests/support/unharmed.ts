import { readFileSync } from "node:fs";
import { assert } from "@std/assert";
import { exchange } from "./client.ts";
import { childrenOf } from "./processes.ts";
import { type RunningServer, withServer } from "./server.ts";
import { descriptors, sleep, until } from "./wait.ts";

/** A service that every table of these tests has, for clients in good faith. */
export const HEALTHY = `
[services.healthy]
text = "well"
`;

/** Room for all, where it is not the limits that are tried. */
export const ROOM = `
max_connections = 2000
max_connections_per_source = 0
max_handshakes = 6000
`;

/**
 * Heaps of V8 that are small, so that they have their size soon: left alone,
 * one that is in no need grows for seven swarms of 5,000, and then stays.
 */
const HEAP = ["--max-semi-space-size=8", "--max-old-space-size=200"];

/** As `withServer`, for a server that is to be attacked. */
export function withVictim(
  ...[table, use, options]: Parameters<typeof withServer>
): Promise<void> {
  const env = {
    NODE_OPTIONS: HEAP.join(" "),
    DENO_V8_FLAGS: HEAP.join(","),
  };
  return withServer(table, use, { ...options, env });
}

/** Attacks that bring a heap to about its size, and the most that follow. */
const SETTLING = 1;
const ATTACKS = 12;

/** As often as that, a server is attacked at the least. */
export const LEAST_ATTACKS = 1 + SETTLING + 1;

/** What a heap that is in no need may grow by from one attack to the next. */
const GROWTH = 1.05;

/** What a server holds when nobody is there. */
interface Figures {
  readonly descriptors: number;
  readonly children: readonly number[];
}

/**
 * Attacks a server again and again: no attack may leave anything behind.
 * Sessions, descriptors and child processes are to be exactly what they were
 * after the first one, and it serves whoever comes in good faith. `behind` are
 * more servers, which the attacks reach through it.
 *
 * Memory cannot be exact. A runtime keeps what its heap has once needed,
 * compiles what has become hot, and collects when it likes: what it has goes up
 * and down like a saw, by a quarter and more, and may rise for some attacks
 * before it stays. So one attack has to leave it at next to no more than it has
 * had before: a leak makes it higher with each of them. One of less than that
 * in an attack is for the soak to find.
 */
export async function unharmed(
  server: RunningServer,
  attack: () => Promise<void>,
  ...behind: RunningServer[]
): Promise<void> {
  const servers = [server, ...behind];
  await attack();
  const before = new Map<RunningServer, Figures>();
  for (const one of servers) before.set(one, await figures(one));
  const memories = new Map(servers.map((one) => [one, [] as number[]]));
  const again = async () => {
    await attack();
    for (const one of servers) await backTo(before.get(one)!, one);
  };
  for (let i = 0; i < SETTLING; i++) {
    await again();
    for (const [one, memory] of memories) memory.push(await restingMemory(one));
  }
  while (memories.size > 0) {
    await again();
    for (const [one, memory] of memories) {
      if (await staysWithin(one, memory)) memories.delete(one);
    }
  }
  await healthy(server.port);
}

/** Whether it has next to no more than ever; if not, what it has is noted. */
async function staysWithin(
  server: RunningServer,
  memory: number[],
): Promise<boolean> {
  const enough = Math.max(...memory) * GROWTH;
  const next = await restingMemory(server, enough);
  if (next <= enough) return true;
  memory.push(next);
  assert(
    memory.length < ATTACKS,
    `bytes of memory, ever more: ${memory.join(", ")}`,
  );
  return false;
}

/** Waits until it holds what it held. */
async function backTo(before: Figures, server: RunningServer): Promise<void> {
  await alone(server);
  const wanted = JSON.stringify(before);
  const is = () => JSON.stringify(now(server));
  await until(
    () => `it holds ${wanted}, not ${is()}`,
    () => is() === wanted,
    30_000,
  );
}

/** A client in good faith is served. */
export async function healthy(port: number): Promise<void> {
  await until("a client in good faith is served", async () => {
    // Where there are too many refusals, one is a reset.
    const answer = await exchange(port, "healthy\r\n").catch(() => "");
    return answer === "+Go\r\nwell";
  }, 30_000);
}

/** Waits until all sessions have ended. */
async function alone(server: RunningServer): Promise<void> {
  await until("all sessions have ended", async () => {
    const states = () =>
      server.log.filter(({ message }) => message === "state");
    const asked = states().length;
    server.signal("SIGUSR2");
    await until("it tells its state", () => states().length > asked);
    return states().at(-1)!.sessions === 0;
  }, 60_000);
}

/** What it holds once that no longer changes. */
async function figures(server: RunningServer): Promise<Figures> {
  await healthy(server.port);
  await alone(server);
  let last = now(server);
  for (let same = 0; same < 10;) {
    await sleep(30);
    const next = now(server);
    same = JSON.stringify(next) === JSON.stringify(last) ? same + 1 : 0;
    last = next;
  }
  return last;
}

function now({ pid }: RunningServer): Figures {
  return {
    descriptors: descriptors(pid),
    children: childrenOf(pid).map((child) => child.pid),
  };
}

/** The least it has within some time, or the first that is `enough`. */
async function restingMemory(
  { pid }: RunningServer,
  enough = 0,
): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 10 && least > enough; i++) {
    if (i > 0) await sleep(100);
    least = Math.min(least, residentBytes(pid));
  }
  return least;
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}
