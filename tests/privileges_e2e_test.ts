/** A server that root has started becomes another user once it has bound. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { withFolder } from "./support/daemon.ts";
import { findProgram, needs, needsRoot } from "./support/needs.ts";
import { exchangeFrom } from "./support/netcat.ts";
import { mustRun, run } from "./support/run.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import { unprivileged } from "./support/unprivileged.ts";

/** Users of every Debian; the second one is in a group more. */
const USER = "news";

const table = (server: string, services = "") => `
[server]
listen = "127.0.0.1:0"
${server}
[services.id]
exec = ["sh", "-c", "id -u; id -g; id -G; echo $USER; grep Cap /proc/self/status"]
${services}
`;

/** A runtime's own files may lie where only root can read. */
async function refusal(text: string, before: readonly string[] = []) {
  return await withFolder(async (folder) => {
    const file = join(folder, "services.toml");
    writeFileSync(file, text);
    await mustRun(["chmod", "755", folder]);
    const words = [...before, ...programUnderTest(), "serve"];
    return await run([...words, "--config", file], { timeout: 60_000 });
  });
}

const idOf = async (...options: string[]) =>
  String((await mustRun(["id", ...options])).stdout).trim();

describe("the user of the server", needsRoot(), () => {
  test("all threads and all programs are that user's, for good", () =>
    withServer(table(`user = "${USER}"`), async (server) => {
      const [uid, gid] = [await idOf("-u", USER), await idOf("-g", USER)];
      const groups = await idOf("-G", USER);
      for (const task of readdirSync(`/proc/${server.pid}/task`)) {
        const status = readFileSync(
          `/proc/${server.pid}/task/${task}/status`,
          "utf8",
        );
        const line = (name: string) =>
          new RegExp(`^${name}:\\s*(.*?)\\s*$`, "m").exec(status)![1]!
            .replaceAll("\t", " ");
        assertEquals(line("Uid"), `${uid} ${uid} ${uid} ${uid}`);
        assertEquals(line("Gid"), `${gid} ${gid} ${gid} ${gid}`);
        assertEquals(line("Groups"), groups);
        assertMatch(line("CapEff"), /^0+$/);
        assertMatch(line("CapPrm"), /^0+$/);
      }
      const said = await exchange(server.port, "id\r\n");
      assertMatch(
        said,
        new RegExp(`^\\+Go\r\n${uid}\n${gid}\n${groups}\n${USER}\n`),
      );
      assertMatch(said, /CapEff:\s*0+\n/);
    }));

  test("a group in place of the user's", () =>
    withServer(
      table(`user = "${USER}"\ngroup = "games"`),
      async (server) => {
        const gid = (await mustRun(["getent", "group", "games"])).stdout;
        const said = await exchange(server.port, "id\r\n");
        assertEquals(said.split("\n")[2], String(gid).split(":")[2]);
      },
    ));

  test("a privileged port is bound before", async () => {
    // An address of this process: other tests run at the same time.
    const host = `127.79.${process.pid >> 8 & 255}.${process.pid & 255}`;
    await withServer(table(`user = "${USER}"`), async (server) => {
      assertEquals(server.port, 79);
      const said = await exchangeFrom("127.0.0.1", 79, "id\r\n", host);
      assertMatch(said, /^\+Go/);
    }, { args: ["--listen", `${host}:79`] });
  });

  test("a reload serves on, and cannot become root again", () =>
    withServer(table(`user = "${USER}"`), async (server, folder) => {
      await mustRun(["chmod", "755", folder]);
      const file = join(folder, "services.toml");
      const text = readFileSync(file, "utf8");
      writeFileSync(file, text.replace("services.id", "services.who"));
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertMatch(await exchange(server.port, "who\r\n"), /\nnews\n/);
      const not = "not reloaded, the old table stays in force";
      const refused: [string, RegExp][] = [
        [
          text.replace(/^user = .*$/m, ""),
          /services\.toml:2: server\.user: only a restart changes it$/,
        ],
        [
          `${text}[services.root]\nexec = ["id"]\nuser = "root"\n`,
          /cannot run a program as root.*without user in \[server\]/,
        ],
      ];
      for (const [index, [next, why]] of refused.entries()) {
        writeFileSync(file, next);
        server.signal("SIGHUP");
        const count = () => server.log.filter(({ message }) => message === not);
        await server.logged(not, () => count().length > index);
        assertMatch(String(count().at(-1)!.reason), why);
      }
      assertMatch(await exchange(server.port, "who\r\n"), /\nnews\n/);
    }));

  test("its control socket is that user's", () =>
    withServer(
      table(`user = "${USER}"\ncontrol = "unix:{folder}/control"`),
      async (server, folder) => {
        await server.serving();
        const found = statSync(join(folder, "control"));
        assertEquals(
          [String(found.uid), String(found.gid), found.mode & 0o777],
          [await idOf("-u", USER), await idOf("-g", USER), 0o600],
        );
        const control = ["--control", join(folder, "control")];
        await mustRun([...programUnderTest(), "status", ...control]);
      },
    ));

  test("what takes root is refused at the start", async () => {
    const { code, stderr } = await refusal(
      table(`user = "${USER}"`, 'user = "games"'),
    );
    assertMatch(stderr, /services\.id\.user: cannot run a program as games/);
    assertEquals(code, 78);
    const nice = await refusal(table(`user = "${USER}"`, "nice = -5"));
    assertMatch(nice.stderr, /services\.id\.nice/);
    assertEquals(nice.code, 78);
  });

  test("check says so too, and lets the server's own user be", async () => {
    const check = (user: string) =>
      withFolder((folder) => {
        const file = join(folder, "services.toml");
        const text = table(`user = "${USER}"`, `user = "${user}"`);
        writeFileSync(file, text);
        return run([...programUnderTest(), "check", file]);
      });
    const { code, stderr } = await check("games");
    assertMatch(stderr, /services\.id\.user: cannot run a program as games/);
    assertEquals(code, 78);
    assertEquals((await check(USER)).code, 0);
  });

  test("a user and a group that are not there", async () => {
    const text = table('user = "nobody-such"\ngroup = "none-such"');
    const { code, stderr } = await refusal(text);
    assertMatch(
      stderr,
      /services\.toml:4: server\.user: there is no user "nobody-such" /,
    );
    assertMatch(
      stderr,
      /services\.toml:5: server\.group: there is no group "none-such" /,
    );
    assertEquals(code, 78, "it does not serve as root");
  });

  test(
    "a tool that does not say who that is",
    needs("unshare", "mount"),
    () =>
      withFolder(async (folder) => {
        const odd = join(folder, "odd");
        writeFileSync(odd, "#!/bin/sh\necho news:x:::\n", { mode: 0o755 });
        for (
          const [tool, instead, why] of [
            ["id", "/bin/false", /id\(1\) does not say its groups: /],
            [
              "id",
              "/bin/true",
              /id\(1\) does not say its groups: it printed ""/,
            ],
            ["getent", odd, /getent\(1\) gives no uid/],
          ] as const
        ) {
          const mount = `mount --bind ${instead} ${findProgram(tool)}`;
          const { code, stderr } = await refusal(
            table(`user = "${USER}"`),
            ["unshare", "--mount", "sh", "-c", `${mount} && exec "$@"`, "sh"],
          );
          assertMatch(stderr, /cannot become user news: /);
          assertMatch(stderr, why);
          assertEquals(code, 77);
        }
      }),
  );

  test("only root can, and a group takes a user", async () => {
    const text = table(`user = "${USER}"`);
    const { code, stderr } = await refusal(text, unprivileged());
    assertMatch(stderr, /cannot become user news: only root can \(/);
    assertEquals(code, 77);
    const alone = await refusal(table('group = "games"'));
    assertMatch(alone.stderr, /services\.toml:4: server\.group: needs user$/m);
    assertEquals(alone.code, 78);
  });
});
