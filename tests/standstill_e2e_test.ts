/** A server that is stopped for a while, as a machine that is paused is. */
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { bytes, readSome } from "./support/bytes.ts";
import { ask, connectTo } from "./support/client.ts";
import { withServer } from "./support/server.ts";
import { sleep } from "./support/wait.ts";

const TABLE = `
[server]
handshake_timeout = "300ms"
[services.echo]
builtin = "echo"
idle_timeout = "300ms"
`;

describe("a server that has stood still", () => {
  test("serves what came in time", () =>
    withServer(TABLE, async ({ port, pid }) => {
      const asking = await connectTo(port);
      const { conn: idle } = await ask(port, "echo");
      process.kill(pid, "SIGSTOP");
      try {
        await asking.write(bytes("echo\r\nearly"));
        await idle.write(bytes("idle"));
        await sleep(2_000);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      assertEquals(await readSome(asking, 10), "+Go\r\nearly");
      assertEquals(await readSome(idle, 4), "idle");
      for (const conn of [asking, idle]) conn.abort();
    }));

  test("gives up all the same who has sent nothing", () =>
    withServer(TABLE, async (server) => {
      const { port, pid } = server;
      const silent = await connectTo(port);
      process.kill(pid, "SIGSTOP");
      try {
        await sleep(2_000);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await server.logged("connection", (line) => line.outcome === "timeout");
      silent.abort();
    }));
});
