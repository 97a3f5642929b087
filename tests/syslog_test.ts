/** What is left of a syslog that the log goes to no more. */
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { openSyslog } from "../src/cli/logs/syslog.ts";
import { TcpmuxError } from "../src/errors.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { freePort } from "./support/daemon.ts";
import { until } from "./support/wait.ts";

test("a syslog that is given up does not connect once more", async () => {
  const port = await freePort();
  let isPausing = false;
  const sink = await openSyslog(
    {
      kind: "syslog",
      by: "tcp",
      endpoint: { transport: "tcp", host: "127.0.0.1", port },
    },
    undefined,
    await pickTransport(),
    () => isPausing = true, // said just before one of the longer pauses
  );
  const write = () => sink.write(new TextEncoder().encode("line\n"));
  const writing = assertRejects(write, TcpmuxError, "connection refused");
  await until("it waits until it tries again", () => isPausing);
  sink.release?.();
  const clients = new Set<Socket>();
  const server = createServer((socket) => clients.add(socket));
  await new Promise<void>((resolve) =>
    server.listen(port, "127.0.0.1", resolve)
  );
  try {
    await writing;
    await assertRejects(write, TcpmuxError, "the log has moved on");
    assertEquals(clients.size, 0);
  } finally {
    for (const client of clients) client.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});
