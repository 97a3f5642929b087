/** check says what will not work on this machine, though the table is right. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { runCommand } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { programUnderTest } from "./support/server.ts";

/** The warnings of check for a table, in a folder that all can enter. */
async function warnings(
  folder: string,
  table: string,
  how: { env?: Record<string, string>; below?: readonly string[] } = {},
): Promise<{ line: number; key: string; message: string }[]> {
  const { env = {}, below = [] } = how;
  const file = join(folder, "services.toml");
  writeFileSync(file, table);
  const { code, out, err } = await runCommand(
    [...below, ...programUnderTest(), "check", file, "--json"],
    { env },
  );
  assertEquals([code, err], [0, ""]);
  return JSON.parse(out).warnings.map(
    (
      { line, key, message }: { line: number; key: string; message: string },
    ) => ({ line, key, message }),
  );
}

/** Runs `use` while another program listens there. */
async function whileTaken(
  address: { port: number; host: string } | { path: string },
  use: () => Promise<void>,
): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(address, resolve));
  try {
    await use();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test(
  "check knows the users and groups of this machine",
  needs("getent"),
  () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      const check = async (settings: string) => {
        writeFileSync(file, `[server]\n${settings}[services.x]\ntext = "x"\n`);
        return await runCommand([...programUnderTest(), "check", file]);
      };
      const { code, err } = await check(
        'user = "no-such"\ngroup = "no-such"\n',
      );
      assertEquals([code, err.split("\n").slice(0, 2)], [78, [
        `${file}:2: server.user: there is no user "no-such" on this machine`,
        `${file}:3: server.group: there is no group "no-such" on this machine`,
      ]]);
      assertEquals((await check('user = "nobody"\n')).code, 0);
    }),
);

describe("check warns", () => {
  test("of an address that is in use", () =>
    withFolder(async (folder) => {
      const [free, port] = [await freePort(), await freePort()];
      const path = join(folder, "socket");
      const table = `[server]
listen = ["127.0.0.1:${free}", "127.0.0.1:${port}", "unix:${path}"]
[services.x]
text = "x"
`;
      assertEquals(await warnings(folder, table), []);
      const taken = (index: number, address: string) => ({
        line: 2,
        key: `server.listen[${index}]`,
        message: `${address} is in use (stop the program that listens there, ` +
          "unless it is the server of this table)",
      });
      await whileTaken({ port, host: "127.0.0.1" }, async () =>
        assertEquals(
          await warnings(folder, table),
          [taken(1, `127.0.0.1:${port}`)],
        ));
      await whileTaken({ path }, async () =>
        assertEquals(await warnings(folder, table), [
          taken(2, `unix:${path}`),
        ]));
      assertEquals(await warnings(folder, table), []);
    }));

  test("of an admin address that is in use", () =>
    withFolder(async (folder) => {
      const [free, port] = [await freePort(), await freePort()];
      const table = `[server]
listen = "127.0.0.1:${free}"
admin = "127.0.0.1:${port}"
[services.x]
text = "x"
`;
      assertEquals(await warnings(folder, table), []);
      await whileTaken({ port, host: "127.0.0.1" }, async () => {
        const [warning] = await warnings(folder, table);
        assertEquals([warning?.line, warning?.key], [3, "server.admin"]);
      });
    }));

  test("of a Unix socket that cannot be made, and of one in use", () =>
    withFolder(async (folder) => {
      const path = join(folder, "sockets", "x");
      const table = `[server]
listen = "unix:${path}"
admin = "unix:${path}.admin"
control = "unix:${path}.control"
[services.x]
text = "x"
`;
      const found = await warnings(folder, table);
      assertEquals(found.map(({ line, key }) => [line, key]), [
        [2, "server.listen[0]"],
        [3, "server.admin"],
        [4, "server.control"],
      ]);
      for (const { message } of found) {
        assertMatch(
          message,
          /^unix:\S+ cannot be made: .* \(ENOENT\) \(the server would not start; /,
        );
      }
      mkdirSync(join(folder, "sockets"));
      assertEquals(await warnings(folder, table), []);
      await whileTaken({ path: `${path}.control` }, async () => {
        const [found] = await warnings(folder, table);
        assertEquals([found?.line, found?.key], [4, "server.control"]);
        assertMatch(found!.message, / is in use \(/);
      });
    }));

  test("of a log that cannot be written", () =>
    withFolder(async (folder) => {
      const path = join(folder, "logs", "tcpmux.log");
      const table = `[server]
listen = "127.0.0.1:${await freePort()}"
[server.log]
to = "${path}"
[services.x]
text = "x"
`;
      const [warning] = await warnings(folder, table);
      assertEquals([warning?.line, warning?.key], [4, "server.log.to"]);
      assertMatch(
        warning!.message,
        /^cannot write to \S+: .* \(ENOENT\) \(the server would not start; /,
      );
      mkdirSync(join(folder, "logs"));
      assertEquals(await warnings(folder, table), []);
      writeFileSync(path, "");
      assertEquals(await warnings(folder, table), []);
    }));

  test("of a TZ that is not the name of a time zone, if hours depend on it", () =>
    withFolder(async (folder) => {
      const listen = `listen = "127.0.0.1:${await freePort()}"`;
      const service = '[services.x]\ntext = "x"\nhours = ["08:00-18:00"]\n';
      const table = `[server]\n${listen}\n${service}`;
      const env = { TZ: "JST-9" };
      const [warning, ...others] = await warnings(folder, table, { env });
      assertEquals(others, []);
      assertEquals([warning?.line, warning?.key], [1, "server.time_zone"]);
      assertMatch(
        warning!.message,
        /^TZ is not the name of a time zone \(tz=JST-9( zone=\S+)?\): hours without /,
      );
      const zone = { TZ: "Asia/Tokyo" };
      assertEquals(await warnings(folder, table, { env: zone }), []);
      const named = `[server]\ntime_zone = "UTC"\n${listen}\n${service}`;
      assertEquals(await warnings(folder, named, { env }), []);
    }));

  test(
    "of limits that do not fit the open-file limit",
    needs("prlimit"),
    () =>
      withFolder(async (folder) => {
        const table = `[server]
listen = "127.0.0.1:${await freePort()}"
max_connections = 100
[services.x]
text = "x"
`;
        const below = ["prlimit", "--nofile=64"];
        const [warning, ...others] = await warnings(folder, table, { below });
        assertEquals(others, []);
        assertEquals([warning?.line, warning?.key], [
          3,
          "server.max_connections",
        ]);
        assertMatch(
          warning!.message,
          /^limits are lowered to fit .* \(open_files=64 max_connections=\d+ /,
        );
        assertEquals(await warnings(folder, table), []);
      }),
  );

  test(
    "of a program and a folder that are closed to the user",
    { ...needs("setpriv"), ...needsRoot() },
    () =>
      withFolder(async (folder) => {
        chmodSync(folder, 0o755);
        const secret = join(folder, "secret");
        mkdirSync(secret, { mode: 0o700 });
        const program = join(secret, "program");
        writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
        const port = await freePort();
        const table = (user: string, word = program) =>
          `server.listen = "127.0.0.1:${port}"
[services.x]
exec = ["${word}"]
cwd = "${secret}"
user = "${user}"
[services.open]
exec = ["true"]
cwd = "/"
user = "nobody"
`;
        const mine = await warnings(folder, table("root"));
        assertEquals(mine, []);
        const closed = [
          {
            line: 3,
            key: "services.x.exec",
            message: "the user of the service has no permission to execute " +
              `${program}; clients will be refused`,
          },
          {
            line: 4,
            key: "services.x.cwd",
            message: "the user of the service has no permission to enter " +
              `${secret}; clients will be refused`,
          },
        ];
        assertEquals(await warnings(folder, table("nobody")), closed);
        const relative = table("nobody", "./program"); // one in cwd
        assertEquals(await warnings(folder, relative), closed);
      }),
  );
});
