/**
 * Shows, in a PID namespace of its own, what becomes of a program's process
 * group when the system has given its number to somebody else. Prints one line
 * for each way in which a program can have ended.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { pickTransport } from "../../src/transport/pick.ts";
import type { PipedProcess } from "../../src/transport/transport.ts";
import { sleep } from "./wait.ts";

const transport = await pickTransport();

function sh(script: string): Promise<PipedProcess> {
  const env = { PATH: "/usr/bin:/bin" };
  return transport.spawn({ program: "/bin/sh", args: ["-c", script], env });
}

/** Another process group with that number; threads may take it before us. */
async function stranger(pid: number): Promise<PipedProcess | undefined> {
  for (let tries = 0; tries < 20; tries++) {
    writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
    const started = await sh("exec sleep 60");
    if (started.pid === pid) return started;
    started.signalGroup("SIGKILL");
    await started.exited;
  }
}

for (
  const [how, script] of [
    ["alone", "exit 0"],
    ["before others", "sleep 0.05 & exit 0"],
  ] as const
) {
  const victim = await sh(script);
  await victim.exited;
  await sleep(how === "alone" ? 0 : 150);
  const other = await stranger(victim.pid);
  const reached = victim.signalGroup("SIGTERM");
  await sleep(200);
  const isAlive = other?.signalGroup(0) === true;
  other?.signalGroup("SIGKILL");
  console.log(
    `ended ${how}: ` +
      (other === undefined ? "its number was not to be had" : "") +
      (reached ? "reached a stranger" : "reached nobody") +
      (isAlive ? "" : ", who is dead"),
  );
}
process.exit(0);
