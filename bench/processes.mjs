// Everything that the benchmark starts, so that all of it ends with it.
import { spawn, spawnSync } from "node:child_process";
import {
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createConnection, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../scripts/runtimes.mjs";

/** A folder for tables, configurations and programs; gone at the end. */
export const FOLDER = mkdtempSync(join(tmpdir(), "tcpmux-bench-"));

const running = new Set();
const nowhere = openSync("/dev/null", "r+");

/**
 * Starts a program in a process group of its own. What it writes goes nowhere,
 * unless `output` asks for "stdout" or "stderr" as a pipe.
 */
export function start([command, ...args], { output, input, cwd = ROOT } = {}) {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: [
      input ? "pipe" : nowhere,
      output === "stdout" ? "pipe" : nowhere,
      output === "stderr" ? "pipe" : nowhere,
    ],
  });
  const program = {
    child,
    get pid() {
      return child.pid;
    },
    gone: undefined,
    ended: new Promise((resolve) => {
      const end = (reason) => {
        program.gone ??= reason;
        resolve();
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(`ended with ${code ?? signal}`));
    }),
    stop: () => stop(program),
  };
  running.add(program);
  return program;
}

async function stop(program) {
  if (!running.delete(program)) return;
  // Some leave our group: what they have started is found before they end.
  const all = program.pid === undefined ? [] : treeOf(program.pid);
  signal(program, all, "SIGTERM");
  const timer = new AbortController();
  await Promise.race([
    program.ended,
    sleep(1500, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  timer.abort();
  signal(program, all, "SIGKILL");
  await program.ended;
}

function signal(program, tree, name) {
  if (program.pid === undefined) return;
  for (const pid of [-program.pid, ...tree]) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended already.
    }
  }
}

export async function stopAll() {
  await Promise.all([...running].map(stop));
}

process.on("exit", () => {
  for (const program of running) {
    signal(program, program.pid ? treeOf(program.pid) : [], "SIGKILL");
  }
  rmSync(FOLDER, { recursive: true, force: true });
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(name, () => process.exit(128 + constants.signals[name]));
}

function statOf(pid) {
  try {
    // The name, in parentheses, may hold blanks: what counts is behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined; // it has just ended
  }
}

/** A process and all that descend from it. */
export function treeOf(pid) {
  const children = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statOf(name)?.[1]);
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(Number(name));
  }
  const tree = [pid];
  for (const each of tree) tree.push(...children.get(each) ?? []);
  return tree;
}

/** The memory, in KiB, that these processes share with nobody. */
export function privateMemory(pids) {
  let sum = 0;
  for (const pid of pids.flatMap(treeOf)) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      for (const [, size] of text.matchAll(/^Private_\w+: +(\d+) kB$/gm)) {
        sum += Number(size);
      }
    } catch {
      // It has just ended.
    }
  }
  return sum;
}

/** The processor time, in seconds, that these processes have taken so far. */
export function processorTime(pids) {
  let ticks = 0;
  for (const pid of pids.flatMap(treeOf)) {
    const stat = statOf(pid);
    // Its own, and of its children that have ended.
    for (const field of stat?.slice(11, 15) ?? []) ticks += Number(field);
  }
  return ticks / 100; // USER_HZ, which Linux fixes for all that read /proc
}

/** A port below those that the kernel gives to clients. */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const ok = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!ok) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Waits until something listens there. */
export async function untilListening(address, program) {
  const [host, port] = address.split(":");
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const ok = await new Promise((resolve) => {
      const socket = createConnection({ host, port: Number(port) });
      socket.once("error", () => resolve(false));
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
    });
    if (ok) return;
    if (program.gone) throw new Error(`it does not start: it ${program.gone}`);
    await sleep(10);
  }
  throw new Error(`it does not listen on ${address}`);
}

/** The path of an installed program; undefined where there is none. */
export function findProgram(name) {
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/lib/systemd",
    "/lib/systemd",
  ];
  const { status, stdout } = spawnSync("sh", ["-c", `command -v ${name}`], {
    env: { PATH: folders.join(delimiter) },
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** What a program says to `--version` and the like, and a pattern finds. */
export function versionBy(command, pattern) {
  const [program, ...args] = command;
  const { stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: "utf8",
  });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "unknown";
}
