/** Who watches the server, and reads too slowly. */
import { createServer } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Events } from "../src/admin/events.ts";
import type { View } from "../src/admin/view.ts";
import { until } from "./support/wait.ts";

test("who leaves what was sent is dropped, and the others are not", async () => {
  // What it sends is what fills a connection, whatever that is.
  const message = { event: "change", data: "x".repeat(1024 * 1024) };
  const view = { full: () => message, next: () => message };
  const events = new Events(view as unknown as View);
  let watchers = 0;
  let ended = 0;
  const server = createServer((_, response) => {
    response.writeHead(200);
    response.once("close", () => ended++);
    events.add(response);
    watchers++;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const [reader, sleeper] = [0, 1].map(() => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    socket.write("GET /events HTTP/1.0\r\n\r\n");
    return socket;
  });
  let read = 0;
  reader!.on("data", (bytes) => read += bytes.length);
  sleeper!.pause();
  try {
    await until("both watch", () => watchers === 2);
    await until("one is dropped", async () => {
      const before = read;
      events.send();
      await until(
        "the other has read that",
        () => read >= before + 1024 * 1024,
      );
      return ended > 0;
    });
    const before = read;
    events.send();
    await until("the other one watches on", () => read > before);
    assertEquals(ended, 1);
  } finally {
    reader!.destroy();
    sleeper!.destroy();
    events.close();
    server.close();
    server.closeAllConnections();
  }
});
