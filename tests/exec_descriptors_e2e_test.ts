/** Programs get nothing of what the server, or other programs, have open. */
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { readAll } from "./support/bytes.ts";
import { ask, type Asked } from "./support/client.ts";
import { answer, shell, variables } from "./support/exec.ts";
import { needs } from "./support/needs.ts";
import {
  programHandsOver,
  programUnderTest,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { withUpstream } from "./support/upstream.ts";
import { descriptors } from "./support/wait.ts";

/** Every descriptor of a program, and what it is. */
const LIST = "exec ls -l /proc/self/fd";

/** Those besides standard input, output and error that are worth anything. */
async function leaked(port: number, service: string): Promise<string[]> {
  const all = (await answer(port, service)).trim().split("\n").slice(1)
    .map((line) => line.slice(line.indexOf(":") + 4));
  const rest = all.filter((line) => !/^[012] /.test(line));
  assertEquals(all.length - rest.length, 3, all.join("\n"));
  // On Deno it has its own socket three times: the README tells of that too.
  const own = programHandsOver() ? "" : all[0]!.slice(1);
  // The folder is what it reads; the README tells of /dev/null.
  return rest.filter((line) =>
    !/ -> (\/proc\/\d+\/fd|\/dev\/null)$/.test(line) &&
    line.replace(/^\d+/, "") !== own
  );
}

/** A server that was itself started with more than it needs. */
const program = [
  "bash",
  "-c",
  'exec 5</etc/passwd 77</etc/group 78<>/etc/hostname 300</; exec "$@"',
  "bash",
  ...programUnderTest(),
];

/** More listeners. */
const MORE = [
  ...["--listen", "[::1]:0"],
  ...["--listen", `unix:@${join("tcpmux-test", String(Math.random()))}`],
];

for (const stdio of ["pipe", "socket"]) {
  const skip = stdio === "socket" && !programHandsOver() || needs("bash").skip;
  const keys = `stdio = "${stdio}"`;
  const table = shell("list", LIST, keys) +
    shell("limited", LIST, `${keys}\nnice = 19\nrlimits = { core = 0 }`) +
    shell("env", "exec env -0", keys) +
    shell("hold", "exec cat", keys) +
    `[services.echo]\nbuiltin = "echo"\n`;

  describe(`a program beside others, stdio = ${stdio}`, { skip }, () => {
    test("has none of their descriptors, nor of the server's own", () =>
      // An upstream, which is another listener of the test's own.
      withUpstream(async (conn) => {
        await readAll(conn);
      }, (upstream) => {
        const up = `[services.up]\nconnect = "127.0.0.1:${upstream}"\n`;
        return withServer(`${table}${up}`, async (server) => {
          const held: Asked[] = [];
          for (let round = 0; round < 8; round++) {
            for (const service of ["hold", "echo", "up"]) {
              held.push(await ask(server.port, service));
            }
          }
          try {
            const before = descriptors(server.pid);
            assert(before > 40, `${before} descriptors`);
            await look(server);
            // While the table is read again, and after that.
            server.signal("SIGHUP");
            await look(server);
            await server.logged("reloaded");
            await look(server);
          } finally {
            for (const { conn } of held) conn.close();
          }
        }, { program, args: ["--listen", "127.0.0.1:0", ...MORE] });
      }));

    test("has an environment of its own, after a reload too", () =>
      withServer(table, async (server) => {
        const names = async () =>
          Object.keys(variables(await answer(server.port, "env"))).sort();
        const before = await names();
        assertEquals(before.includes("POISON"), false);
        server.signal("SIGHUP");
        assertEquals(await names(), before);
        await server.logged("reloaded");
        assertEquals(await names(), before);
      }, { program, env: { POISON: "1" } }));
  });
}

async function look({ port }: RunningServer): Promise<void> {
  for (const service of ["list", "limited"]) {
    assertEquals(await leaked(port, service), [], service);
  }
}
