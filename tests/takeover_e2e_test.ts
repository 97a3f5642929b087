/** A new server takes over the socket of an old one, which serves to the end. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { ask, connectTo } from "./support/client.ts";
import { withFolder } from "./support/daemon.ts";
import { programUnderTest, ROOT, RunningServer } from "./support/server.ts";
import { sleep, until } from "./support/wait.ts";

const TABLE = `
[server]
listen = "systemd"
max_connections_per_source = 0
[services.echo]
builtin = "echo"
[services.cat]
exec = ["cat"]
`;

const HOLDER = join(ROOT, "tests/support/holder.pl");
const PAYLOAD = "0123456789".repeat(2_000);

/** Servers one after the other on the same socket, and their common log. */
interface Succession {
  readonly port: number;
  /** @returns the process of the next server, once it serves */
  next(): Promise<number>;
  readonly log: RunningServer;
}

function withSuccession(
  use: (servers: Succession) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const file = join(folder, "services.toml");
    writeFileSync(file, TABLE);
    const words = [...programUnderTest(), "serve", "--config", file];
    const holder = spawn("perl", [HOLDER, ...words, "--log-format", "json"], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const log = new RunningServer(holder);
    let said = "";
    holder.stdout.on("data", (bytes) => said += String(bytes));
    const line = (index: number) =>
      until(
        "the holder says so",
        () => Number(said.split("\n")[index]),
      ) as Promise<number>;
    const pids: number[] = [];
    try {
      const port = await line(0);
      const next = async () => {
        holder.stdin.write("next\n");
        const count = pids.push(await line(pids.length + 1));
        await until(
          `${count} have served: ${log.other.join(" ")}`,
          () =>
            log.log.filter(({ message }) => message === "serving").length ===
              count,
        );
        return pids.at(-1)!;
      };
      await use({ port, next, log });
    } finally {
      holder.stdin.end();
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGTERM");
      await until("all are gone", () => !pids.some(isAlive));
    }
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One client, who takes its time between the two halves of its request. */
async function visit(port: number, pause: number): Promise<string> {
  const conn = await connectTo(port);
  try {
    await conn.write(bytes("ec"));
    if (pause > 0) await sleep(pause);
    await conn.write(bytes(`ho\r\n${PAYLOAD}`));
    await conn.closeWrite();
    return await readAll(conn);
  } finally {
    conn.close();
  }
}

describe("a server whose socket is systemd's", () => {
  test("is followed by another, and no client notices", () =>
    withSuccession(async ({ port, next, log }) => {
      let old = await next();
      let visits = 0;
      const odd: string[] = [];
      const stop = new AbortController();
      const clients = [0, 0, 1, 5, 20, 100].map(async (pause) => {
        while (!stop.signal.aborted) {
          const answer = await visit(port, pause).catch(String);
          visits++;
          if (answer !== `+Go\r\n${PAYLOAD}`) odd.push(answer.slice(0, 80));
        }
      });
      const more = async () => {
        const before = visits;
        await until("clients come and go", () => visits >= before + 50);
      };
      try {
        for (let change = 0; change < 3; change++) {
          await more();
          // Two who stay while all changes around them.
          const staying = [await ask(port, "echo"), await ask(port, "cat")];
          const successor = await next();
          await more();
          process.kill(old, "SIGTERM");
          await log.logged("stopping");
          await more();
          for (const { conn, reply } of staying) {
            assertEquals(reply, "+Go");
            await conn.write(bytes("still here"));
            await conn.closeWrite();
            assertEquals(await readAll(conn), "still here");
            conn.close();
          }
          const gone = old;
          await until("the old one is gone", () => !isAlive(gone));
          old = successor;
        }
        await more();
      } finally {
        stop.abort();
        await Promise.all(clients);
      }
      assertEquals(odd, []);
      assert(visits > 300, `${visits} clients`);
    }));

  test("without a successor, clients wait for it", () =>
    withSuccession(async ({ port, next }) => {
      const old = await next();
      process.kill(old, "SIGTERM");
      await until("it is gone", () => !isAlive(old));
      const waiting = visit(port, 0);
      await next();
      assertEquals(await waiting, `+Go\r\n${PAYLOAD}`);
    }));
});
