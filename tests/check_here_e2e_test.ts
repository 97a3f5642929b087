/** check says what will not work on this machine, though the table is right. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { tcpmux } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";

/** The warnings of check for a table, in a folder that all can enter. */
async function warnings(
  folder: string,
  table: string,
): Promise<{ line: number; key: string; message: string }[]> {
  const file = join(folder, "services.toml");
  writeFileSync(file, table);
  const { code, out, err } = await tcpmux(["check", file, "--json"]);
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
