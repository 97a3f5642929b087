import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { ask, type Asked } from "./support/client.ts";
import { answer, passwd, POISON, variables } from "./support/exec.ts";
import {
  programHandsOver,
  programUnderTest,
  withServer,
} from "./support/server.ts";

describe("what a program is started with", () => {
  const env = `
[services.Env]
exec = ["env", "-0"]
aliases = ["other"]
[services.passed]
exec = ["env", "-0"]
passenv = ["PASSED", "EMPTY", "MISSING", "USER"]
env = { A = "one two", B = "$HOME;'\\"", TCPMUX_SERVICE = "mine", LANG = "" }
[services.hold]
exec = ["cat"]
`;
  test("its environment is as told, and nothing of the server's", () =>
    withServer(env, async (server) => {
      const asked = await ask(server.port, "oTHER");
      const found = variables(await asked.readAll());
      const { conn } = asked;
      const port = conn.local.transport === "tcp" ? conn.local.port : 0;
      const [name, home, shell] = await passwd(String(process.getuid!()));
      const { TCPMUX_SESSION_ID, ...others } = found;
      assertMatch(TCPMUX_SESSION_ID!, /^1$/);
      assertEquals(others, {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        TZ: "Asia/Tokyo",
        LANG: "C.UTF-8",
        USER: name,
        LOGNAME: name,
        HOME: home,
        SHELL: shell,
        PROTO: "TCP",
        TCPLOCALIP: "127.0.0.1",
        TCPLOCALPORT: String(server.port),
        TCPREMOTEIP: "127.0.0.1",
        TCPREMOTEPORT: String(port),
        TCPCONNNUM: "1",
        REMOTE_ADDR: "127.0.0.1",
        REMOTE_PORT: String(port),
        REMOTE_HOST: "127.0.0.1",
        TCPMUX_SERVICE: "Env",
        TCPMUX_LISTENER: `127.0.0.1:${server.port}`,
      });
      conn.close();
    }, { env: POISON }));

  test("passenv and env add to it, env having the last word", () =>
    withServer(env, async ({ port }) => {
      const found = variables(await answer(port, "passed"));
      assertEquals(
        ["PASSED", "EMPTY", "MISSING", "POISON", "A", "B", "LANG", "USER"]
          .map((name) => found[name]),
        [
          ...["passed", "", undefined, undefined, "one two", "$HOME;'\""],
          ...["", (await passwd(String(process.getuid!())))[0]],
        ],
      );
      assertEquals(found["TCPMUX_SERVICE"], "mine");
    }, { env: POISON }));

  test("TCPCONNNUM counts the live connections of the source", () =>
    withServer(env, async (server) => {
      const count = async () =>
        variables(await answer(server.port, "env"))["TCPCONNNUM"];
      const held: Asked[] = [];
      for (let i = 0; i < 2; i++) held.push(await ask(server.port, "hold"));
      assertEquals(await count(), "3");
      for (const { conn } of held) conn.close();
      for (const conn of [1, 2]) {
        await server.logged("connection", (line) => line.conn === conn);
      }
      await server.logged("connection", (line) => line.service === "Env");
      assertEquals(await count(), "1");
    }));

  test("its arguments are as the table has them, with no shell between", () => {
    const table = `
[services.args]
exec = ["printf", "%s\\\\0", "a b", "$HOME", "; id", "'\\"", "*", "", "\`id\`", "ü"]
`;
    return withServer(table, async ({ port }) => {
      assertEquals(
        Buffer.from(await answer(port, "args"), "latin1").toString(),
        ["a b", "$HOME", "; id", "'\"", "*", "", "`id`", "ü", ""].join("\0"),
      );
    });
  });

  test("it starts in cwd, or where the server was started", () => {
    const table = `
[services.here]
exec = ["/bin/pwd", "-P"]
[services.there]
exec = ["/bin/pwd", "-P"]
cwd = "{folder}/a folder"
`;
    return withServer(table, async ({ port }, folder) => {
      mkdirSync(join(folder, "a folder"));
      assertEquals(await answer(port, "here"), `${folder}\n`);
      assertEquals(await answer(port, "there"), `${folder}/a folder\n`);
    });
  });

  test("it inherits standard input, output and error, and no more", () => {
    const table = `
[services.open]
exec = ["ls", "-l", "/proc/self/fd"]
[services.hold]
exec = ["cat"]
`;
    // What the server itself was started with may be passed on: nothing here.
    const clean = `for file in /proc/$$/fd/*; do
  fd=\${file##*/}; test $fd -le 2 || eval "exec $fd>&-"
done; exec "$@"`;
    const program = ["bash", "-c", clean, "bash", ...programUnderTest()];
    return withServer(table, async ({ port }) => {
      const held = await ask(port, "hold"); // the server has its pipes open
      const links = (await answer(port, "open")).trim().split("\n").slice(1)
        .map((line) => line.slice(line.indexOf(":") + 4).split(" -> "));
      // On Deno it has its own socket three times.
      const others = links.filter(([, link], index) =>
        index < 2 || programHandsOver() || link !== links[0]![1]
      );
      // The last one is the folder that ls reads.
      assertEquals(others.map(([fd]) => fd).slice(0, 3), ["0", "1", "2"]);
      assertEquals(others.length, 4);
      held.conn.close();
    }, { program });
  });

  test("it leads a session and a process group of its own", () => {
    const table = `
[services.group]
exec = ["sh", "-c", "exec cut -d ' ' -f 1,5,6 /proc/$$/stat"]
`;
    return withServer(table, async ({ port }) => {
      const [pid, ...leaders] = (await answer(port, "group")).trim().split(" ");
      assertEquals(leaders, [pid!, pid!]);
    });
  });
});
