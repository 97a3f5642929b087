// What connections cost that do nothing: memory, processor time, and the rate
// at which others can be made meanwhile.
import { setTimeout as sleep } from "node:timers/promises";
import { load, loadSession } from "./measure.mjs";
import { privateMemory, processorTime } from "./processes.mjs";

const FIRST = 100;
const WARM_UPS = 3;
const WORKED = 3000;
const SECURE = 1000;
const CROWDED = ["idle-10000", "idle-cpu", "crowd-0", "crowd-10000"];

async function handshakesOf(server, settings) {
  const flags = ["--connections", 32, "--body", 1];
  const { rate } = await load(
    "handshake",
    server.target("byte"),
    flags,
    settings,
  );
  return rate;
}

/** Holds so many idle connections from now on. */
async function holdIn(session, count) {
  session.say(`${count}\n`);
  await session.next();
  await sleep(1000); // what was needed to open them may be given back
}

/**
 * The figures of one peer, by scenario. `many` is 10,000, or what the limit of
 * open files has room for.
 */
export async function measureIdle(peer, world, { many, wanted, settings }) {
  const server = await peer.start(world);
  const target = server.target("echo");
  const session = loadSession(["idle", ...target]);
  const figures = {};
  const rate = () => handshakesOf(server, settings);
  const hold = (count) => holdIn(session, count);
  try {
    // A fresh server, with a few connections: what it takes once, to serve
    // at all, is no connection's; and garbage of an earlier load would make
    // room for these, which then seem to cost nothing.
    await hold(FIRST);
    const before = privateMemory(server.pids);
    const each = (count) => (privateMemory(server.pids) - before) / count;
    await hold(FIRST + 1000);
    figures["idle-1000"] = each(1000);
    if (!CROWDED.some((id) => wanted.includes(id))) return figures;
    await hold(many);
    figures["idle-10000"] = each(many - FIRST);
    const time = processorTime(server.pids);
    const began = performance.now();
    await sleep(1500);
    const seconds = (performance.now() - began) / 1000;
    figures["idle-cpu"] = (processorTime(server.pids) - time) / seconds * 1000;
    // What is not warm yet would seem to be slowed by the crowd: compilers go
    // on for some ten thousand connections.
    for (let i = 0; i < WARM_UPS; i++) await rate();
    figures["crowd-10000"] = await rate();
    await session.stop();
    await sleep(1000);
    figures["crowd-0"] = await rate();
    return figures;
  } finally {
    await session.stop();
    await server.stop();
  }
}

/** KiB of each of so many connections, after what is done before them. */
async function measureHeld(peer, world, mode, count, before = () => {}) {
  const server = await peer.start(world);
  const session = loadSession([mode, ...server.target("echo")]);
  try {
    await before(server);
    await holdIn(session, FIRST);
    const memory = privateMemory(server.pids);
    await holdIn(session, FIRST + count);
    return (privateMemory(server.pids) - memory) / count;
  } finally {
    await session.stop();
    await server.stop();
  }
}

/** KiB of each connection in a server that has made many handshakes before. */
export function measureWorked(peer, world, settings) {
  return measureHeld(peer, world, "idle", WORKED, async (server) => {
    for (let i = 0; i < WARM_UPS; i++) await handshakesOf(server, settings);
  });
}

/** KiB of each connection that speaks TLS. */
export const measureSecure = (peer, world) =>
  measureHeld(peer, world, "tls-idle", SECURE);
