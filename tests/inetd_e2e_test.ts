/** `serve --inetd`: one connection, which another program has accepted. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { answers, withFolder } from "./support/daemon.ts";
import { quoted, run } from "./support/run.ts";
import { programHandsOver, programUnderTest, ROOT } from "./support/server.ts";
import { SUPER_SERVERS } from "./support/super_servers.ts";
import { until } from "./support/wait.ts";

const PLAYER = join(ROOT, "tests/support/nowait.pl");

const SOCKET = programHandsOver() ? 'stdio = "socket"' : "";

const TABLE = `
[server]
log.level = "debug"
max_connections_per_source = 1
[services.echo]
builtin = "echo"
[services.whence]
exec = ["sh", "-c", "echo $TCPREMOTEIP $TCPLOCALIP $TCPLOCALPORT; echo up >&2"]
[services.count]
exec = ["wc", "-c"]
[services.own]
exec = ["sh", "-c", "read word; echo you said $word"]
${SOCKET}
[services.far]
builtin = "echo"
allow = ["192.0.2.1"]
`;

function withTable(use: (file: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const file = join(folder, "services.toml");
    writeFileSync(file, TABLE);
    await use(file);
  });
}

const serving = (file: string, ...flags: string[]) => [
  ...programUnderTest(),
  "serve",
  "--inetd",
  "--config",
  file,
  ...flags,
];

/**
 * Runs the program on one connection.
 *
 * @param stderr where its standard error leads: to the connection, or apart
 * @returns how it has ended
 */
async function onClient(
  stderr: "joined" | "apart",
  words: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<{ code: number | null; said: string }> {
  const child = spawn("perl", [PLAYER, stderr, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = { port: "", said: "" };
  child.stdout.on("data", (bytes) => out.port += String(bytes));
  child.stderr.on("data", (bytes) => out.said += String(bytes));
  const closed = new Promise<number | null>((resolve) =>
    child.once("close", resolve)
  );
  const timer = setTimeout(() => process.kill(child.pid!, "SIGKILL"), 60_000);
  await until("it listens", () => out.port.endsWith("\n"));
  await use(Number(out.port));
  const code = await closed;
  clearTimeout(timer);
  return { code, said: out.said };
}

describe("serve --inetd", () => {
  for (const { name, options, serve } of SUPER_SERVERS) {
    test(
      `under ${name}`,
      options,
      () =>
        withTable((file) =>
          serve(serving(file), async (port) => {
            assertEquals(
              await exchange(port, "HELP\r\n"),
              "echo\r\nwhence\r\ncount\r\nown\r\n",
            );
            const much = "0123456789".repeat(30_000);
            assertEquals(
              await exchange(port, `echo\r\n${much}`),
              `+Go\r\n${much}`,
            );
            assertEquals(
              await exchange(port, "whence\r\n"),
              `+Go\r\n127.0.0.1 127.0.0.1 ${port}\n`,
            );
            assertMatch(
              await exchange(port, `count\r\n${much}`),
              /^\+Go\r\n *300000\n$/,
            );
            assertEquals(
              await exchange(port, "own\r\nhello\n"),
              "+Go\r\nyou said hello\n",
            );
            const missing = "-Service not available\r\n";
            assertEquals(await exchange(port, "nothing\r\n"), missing);
            assertEquals(await exchange(port, "far\r\n"), missing);
            assert(await answers(port), "it goes on");
          })
        ),
    );
  }

  test("ends with 0 when its session has ended", () =>
    withTable(async (file) => {
      const ran = await onClient("joined", serving(file), async (port) => {
        assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
      });
      assertEquals([ran.code, ran.said], [0, ""]);
    }));

  test("logs where standard error is not the client's", () =>
    withTable(async (file) => {
      const words = serving(file, "--log-format", "json");
      const ran = await onClient("apart", words, async (port) => {
        assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
      });
      const lines = ran.said.trim().split("\n").map((line) => JSON.parse(line));
      const { remote, service, outcome } = lines.at(-1);
      assertMatch(remote, /^127\.0\.0\.1:\d+$/);
      assertEquals([service, outcome], ["echo", "served"]);
    }));

  test("logs to a file where the table says so, and nothing to the client", () =>
    withTable(async (file) => {
      const log = `${file}.log`;
      const to = `[server]\nlog.to = "${log}"`;
      writeFileSync(file, TABLE.replace("[server]", to));
      const { code, said } = await onClient(
        "joined",
        serving(file),
        async (port) =>
          assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi"),
      );
      assertEquals([code, said], [0, ""]);
      assertMatch(readFileSync(log, "utf8"), / connection .*service=echo /);
    }));

  test("a table that is wrong: the client is refused, and hears no more", () =>
    withTable(async (file) => {
      writeFileSync(file, "nonsense");
      const ran = await onClient("joined", serving(file), async (port) => {
        assertEquals(
          await exchange(port, "echo\r\n"),
          "-Service temporarily unavailable\r\n",
        );
      });
      assertEquals([ran.code, ran.said], [78, ""]);
    }));

  test("a flag that is wrong says nothing to the client", () =>
    withTable(async (file) => {
      const words = serving(file, "--listen", "127.0.0.1:0");
      const ran = await onClient("joined", words, async (port) => {
        assertEquals(await exchange(port, "").catch(() => ""), "");
      });
      assertEquals([ran.code, ran.said], [64, ""]);
    }));

  test("without a socket it says what it is for", () =>
    withTable(async (file) => {
      const script = `exec ${serving(file).map(quoted).join(" ")} </dev/null`;
      const { code, stderr } = await run(["sh", "-c", script]);
      assertEquals(code, 64);
      assertMatch(stderr, /^tcpmux: --inetd: standard input is no socket \(/);
    }));
});
