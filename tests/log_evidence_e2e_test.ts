/** The log says what happened, whatever a peer sends and wherever it goes. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { connectTo, exchange } from "./support/client.ts";
import { answers, freePort, withDaemon, withFolder } from "./support/daemon.ts";
import { shell } from "./support/exec.ts";
import { says, withScripted } from "./support/scripted.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

const FORGED = "2026-01-01T00:00:00.000Z info  connection outcome=served";

/** What may do harm in a log, or in the terminal of who reads it. */
const HOSTILE: [string, Uint8Array][] = [
  ["an escape sequence", bytes("\x1b[2J\x1b]0;title\x07echo\r\n")],
  ["a line of its own", bytes(`x\n${FORGED}\n`)],
  ["a return", bytes(`x\r${FORGED}\r\n`)],
  ["quotes and an equals sign", bytes('x" outcome="served\r\n')],
  ["a backslash", bytes('x\\" outcome=served\r\n')],
  ["marks that turn text round", bytes("abc\u202e\u2066\u200f\r\n")],
  ["separators of Unicode", bytes("a\u2028b\u2029c\u0085\r\n")],
  ["bytes that are no UTF-8", Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 13, 10)],
  ["NUL bytes", bytes("\0\0echo\r\n")],
  ["a name of 1 MiB", new Uint8Array(1 << 20).fill(0x41)],
  ["a name that is an object's", bytes("__proto__\r\n")],
];

/** Neither control bytes, nor what turns text round, nor a forged beginning. */
// deno-lint-ignore no-control-regex -- that is what it is about
const DANGEROUS = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

async function send(port: number, request: Uint8Array): Promise<void> {
  const conn = await connectTo(port);
  await conn.write(request).catch(() => {}); // it may be refused before its end
  await conn.closeWrite().catch(() => {});
  await readAll(conn).catch(() => {});
  conn.close();
}

for (const format of ["json", "text"] as const) {
  describe(`a log of ${format}`, () => {
    test("has one sound line for each hostile name", () =>
      withServer(`[services.echo]\nbuiltin = "echo"`, async (server) => {
        for (const [, request] of HOSTILE) await send(server.port, request);
        await exchange(server.port, "echo\r\nhello");
        const lines = () =>
          format === "json"
            ? server.log.filter(({ message }) => message === "connection")
              .map((line) => JSON.stringify(line))
            : server.other.filter((line) => / connection conn=/.test(line));
        await until("all are logged", () => lines().length > HOSTILE.length);
        assertEquals(lines().length, HOSTILE.length + 1);
        // What a peer wrote stands in quotes, behind all that it did not write.
        const own = lines().map((line) => line.split(/"?reason"?[=:]/)[0]!);
        const served = own.filter((text) => /outcome"?[=:]"?serv/.test(text));
        assertEquals(served.length, 1);
        for (const line of [...server.other, ...lines()]) {
          assert(!DANGEROUS.test(line), JSON.stringify(line));
          assert(!line.startsWith(FORGED));
          assert(line.length < 2000);
        }
        if (format === "json") assertEquals(server.other, []);
      }, { format }));
  });
}

describe("the log", () => {
  test("quotes a program's standard error, whatever it says", () =>
    withServer(
      shell(
        "loud",
        `printf '\\033[31m\\n${FORGED}\\n\\342\\200\\256\\377\\000x\\n' >&2`,
      ),
      async (server) => {
        await exchange(server.port, "loud\r\n");
        await server.record("loud");
        await until("all is logged", () =>
          server.log.filter(({ message }) =>
            message === "stderr"
          ).length === 3);
        assertEquals(server.other, []);
        const records = server.log.filter(({ message }) =>
          message === "connection"
        );
        assertEquals(records.length, 1);
      },
    ));

  test("quotes another server's words, which go to no client raw", () =>
    withScripted(
      says("-\x1b[31mno\xe2\x80\xae \x07way\xff\r\n"),
      (port) =>
        withServer(
          `[services.far]\ntcpmux = "127.0.0.1:${port}/x"`,
          async (server) => {
            const answer = await exchange(server.port, "far\r\n");
            assertMatch(answer, /^-[\x20-\x7e]*\r\n$/);
            const { outcome } = await server.record("far");
            assertEquals(outcome, "failed");
            assertEquals(server.other, []);
          },
        ),
    ));
});

describe("service goes on", () => {
  /** The server on a table of its own, behind words of the shell. */
  function commandIn(folder: string, port: number): string[] {
    const file = join(folder, "services.toml");
    writeFileSync(file, '[services.echo]\nbuiltin = "echo"\n');
    return [
      ...programUnderTest(),
      "serve",
      ...["--config", file, "--listen", `127.0.0.1:${port}`],
    ];
  }

  async function serves(port: number): Promise<void> {
    for (let i = 0; i < 50; i++) {
      assertEquals(await exchange(port, `echo\r\n${i}`), `+Go\r\n${i}`);
    }
  }

  for (
    const [what, redirections] of [
      ["the log's disk is full", "2> /dev/full"],
      ["its standard descriptors are closed", "<&- >&- 2>&-"],
    ]
  ) {
    test(`when ${what}`, () =>
      withFolder(async (folder) => {
        const port = await freePort();
        const command = commandIn(folder, port);
        await withDaemon(
          ["sh", "-c", `exec "$@" ${redirections}`, "sh", ...command],
          port,
          () => serves(port),
        );
      }));
  }

  test("when who read the log is gone, until it is told to stop", () =>
    withFolder(async (folder) => {
      const port = await freePort();
      const [program, ...args] = commandIn(folder, port);
      const child = spawn(program!, args, {
        stdio: ["ignore", "ignore", "pipe"],
      });
      const exited = new Promise<number | null>((resolve) => {
        child.once("exit", resolve);
      });
      try {
        await until("it answers", () => answers(port));
        child.stderr.destroy();
        await serves(port);
      } finally {
        process.kill(child.pid!, "SIGTERM");
      }
      assertEquals(await exited, 0);
    }));
});
