import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { bytes, pattern, readAll, readLine } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { withServer } from "./support/server.ts";
import { descriptors, descriptorsBackTo, sleep } from "./support/wait.ts";

const TABLE = `
[server]
handshake_timeout = "700ms"
max_connections = 40
[services.echo]
builtin = "echo"
[services.chargen]
builtin = "chargen"
[services.about]
text = "about"
`;

/** Runs `work` for each number below `count`, a few at a time. */
async function inParallel(
  count: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index; (index = next++) < count;) await work(index);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

describe("many connections, and bad ones", () => {
  test("5,000 connections leave the descriptors where they were", () =>
    withServer(TABLE.replace("700ms", "60s"), async (server) => {
      await inParallel(20, async () => {
        await exchange(server.port, "echo\r\nwarm");
      });
      await sleep(100);
      const before = descriptors(server.pid);
      await inParallel(5000, async (index) => {
        switch (index % 5) {
          case 0: {
            const conn = await connectTo(server.port);
            return conn.abort();
          }
          case 1:
            assertEquals(
              await exchange(server.port, "nope\r\n"),
              "-Service not available\r\n",
            );
            return;
          case 2: {
            const { conn } = await ask(server.port, "chargen");
            return conn.abort();
          }
          default:
            assertEquals(
              await exchange(server.port, "echo\r\nhello"),
              "+Go\r\nhello",
            );
        }
      });
      await descriptorsBackTo(before, server.pid);
      const records = server.log.filter(({ message }) =>
        message === "connection"
      );
      const ids = new Set(records.map(({ conn }) => conn));
      assertEquals(ids.size, records.length);
    }));

  test("over max_connections a client is told busy, and it recovers", () =>
    withServer(TABLE, async (server) => {
      const live = [];
      for (let i = 0; i < 40; i++) live.push(await ask(server.port, "echo"));
      const refused = await connectTo(server.port);
      assertEquals(await readAll(refused), "-Server busy, try again later\r\n");
      refused.close();
      await server.logged("connection", ({ outcome }) => outcome === "busy");
      for (const { conn } of live) conn.close();
      for (let i = 0; i < 40; i++) await server.record("echo");
      for (let answer = ""; answer !== "+Go\r\nagain";) {
        answer = await exchange(server.port, "echo\r\nagain");
      }
    }));

  test("a slow, an endless and a broken line cost nobody else", () =>
    withServer(TABLE, async (server) => {
      const slow = await connectTo(server.port);
      const slowly = (async () => {
        for (const letter of "echo echo echo echo") {
          await slow.write(bytes(letter)).catch(() => {});
          await sleep(100);
        }
      })();
      const endless = await connectTo(server.port);
      await endless.write(pattern(1).fill(65));
      await endless.write(new Uint8Array(100_000).fill(65)).catch(() => {});
      assertEquals(await readLine(endless), "-Malformed service name\r\n");
      assertEquals(
        await exchange(server.port, "a\x00b\r\n"),
        "-Malformed service name\r\n",
      );
      assertEquals(
        await exchange(server.port, "ec"),
        "-Service name cut short\r\n",
      );
      assertEquals(await exchange(server.port, ""), "");
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      // The time-out is for the whole line: a byte now and then gains nothing.
      assertEquals(
        await readAll(slow),
        "-Timed out waiting for a service name\r\n",
      );
      await slowly;
      for (const conn of [slow, endless]) conn.close();
      const timeout = await server.logged(
        "connection",
        (line) => line.outcome === "timeout",
      );
      assert(Number(timeout.duration_ms) >= 700);
    }));

  test("a reader that stops is not read ahead of: memory stays flat", () =>
    withServer(TABLE, async (server) => {
      const { conn } = await ask(server.port, "chargen");
      await sleep(300);
      const before = residentBytes(server.pid);
      await sleep(1000);
      const grown = residentBytes(server.pid) - before;
      assert(grown < 30e6, `grew by ${grown} bytes`);
      conn.abort();
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
    }));
});

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}
