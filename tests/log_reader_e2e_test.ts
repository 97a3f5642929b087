/** A log whose reader stands still holds up nobody. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { exchange } from "./support/client.ts";
import { answers, freePort, withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { type Kind, SharingProcess } from "./support/shared.ts";
import { until } from "./support/wait.ts";
import { withServer } from "./support/server.ts";

const ECHO = `[services.echo]\nbuiltin = "echo"\n`;
const DROPPED = "log lines were dropped, the log could not be written in time";
/** The log holds the name of a service, so such a line is long. */
const UNKNOWN = "x".repeat(250);

/** Runs `use` with one whose standard error is read only when that is said. */
async function withUnread(
  kind: Kind,
  words: readonly string[],
  port: number,
  use: (unread: SharingProcess) => Promise<void>,
): Promise<void> {
  const unread = new SharingProcess("2", kind, words);
  try {
    await until("it answers", () => answers(port));
    await use(unread);
  } finally {
    await unread.close();
  }
}

/** Has the server log so many connections. */
async function connectOften(port: number, request: string, times: number) {
  const clients = Array.from({ length: 20 }, async () => {
    for (let i = 0; i < times / 20; i++) await exchange(port, request);
  });
  await Promise.all(clients);
}

describe("a log that nobody reads", needs("perl"), () => {
  for (const kind of ["pipe", "terminal", "socket"] as const) {
    test(`holds up no client of serve, nor its end: a ${kind}`, () =>
      withFolder(async (folder) => {
        const port = await freePort();
        const file = join(folder, "services.toml");
        writeFileSync(file, ECHO);
        const words = ["serve", "-c", file, "-l", `127.0.0.1:${port}`];
        await withUnread(kind, words, port, async (unread) => {
          await connectOften(port, `${UNKNOWN}\r\n`, 1000);
          assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
          await unread.signal("SIGTERM");
          const left = kind === "terminal" ? "blocking echo" : "blocking";
          assertEquals(await unread.ended(), `0 ${left}`);
        });
      }));
  }

  for (const command of ["forward", "proxy"] as const) {
    for (const kind of ["pipe", "terminal"] as const) {
      test(`holds up no client of ${command}, nor its end: a ${kind}`, () =>
        withServer(ECHO, async (server) => {
          const port = await freePort();
          const upstream = `127.0.0.1:${server.port}`;
          const words = command === "forward"
            ? ["forward", `${port}=echo`, upstream]
            : ["proxy", String(port), upstream];
          const ask = command === "forward"
            ? "hi"
            : "CONNECT echo:1 HTTP/1.1\r\n\r\nhi";
          await withUnread(kind, words, port, async (unread) => {
            await connectOften(port, ask, 600);
            const answer = await exchange(port, ask);
            assert(answer.endsWith("hi"), answer);
            await unread.signal("SIGTERM");
            const left = kind === "terminal" ? "blocking echo" : "blocking";
            assertEquals(await unread.ended(), `0 ${left}`);
          });
        }));
    }
  }

  for (const kind of ["full-pipe", "full-terminal", "full-socket"] as Kind[]) {
    test(`holds up no server that cannot start, and no client: a ${kind}`, () =>
      withServer(ECHO, async ({ port }) => {
        const address = `127.0.0.1:${port}`;
        const left = kind === "full-terminal" ? "blocking echo" : "blocking";
        for (
          const [code, words] of [
            [74, ["serve", "--listen", address]],
            [0, ["connect", address, "echo", "--verbose", "--progress"]],
          ] as const
        ) {
          const unread = new SharingProcess("2", kind, words);
          try {
            assertEquals(await unread.ended(), `${code} ${left}`);
          } finally {
            await unread.close();
          }
        }
      }));
  }

  test("loses lines, and says how many once it is read", () =>
    withFolder(async (folder) => {
      const port = await freePort();
      const file = join(folder, "services.toml");
      writeFileSync(file, ECHO);
      const words = ["serve", "-c", file, "-l", `127.0.0.1:${port}`];
      words.push("--log-format", "json");
      await withUnread("pipe", words, port, async (unread) => {
        await connectOften(port, `${UNKNOWN}\r\n`, 9000);
        unread.startReading();
        await until("the loss is said", () => unread.read.includes(DROPPED));
        assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
        await unread.signal("SIGTERM");
        await unread.ended();
        await until("the end is said", () => /"stopped"/.test(unread.read));
        const lines = unread.read.trim().split("\n");
        const kept = lines.filter((line) => line.includes(UNKNOWN)).length;
        const lost = lines.filter((line) => line.includes(DROPPED))
          .reduce((sum, line) => sum + JSON.parse(line).lines, 0);
        assert(lost > 0);
        // Besides, the server logs its end, and who saw whether it answers.
        assert(kept + lost >= 9000, `${kept} + ${lost}`);
        assert(kept + lost <= 9005, `${kept} + ${lost}`);
      });
    }));
});
