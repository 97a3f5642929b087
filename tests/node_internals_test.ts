/** A Node that lacks the members which its documentation does not name. */
import { createServer, Socket } from "node:net";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { netListen } from "../src/transport/net/listen.ts";
import {
  byConnectionEvent,
  type TakeConnections,
} from "../src/transport/net/listen.ts";
import {
  detachSocket,
  onAccept,
  resetNow,
} from "../src/transport/node/internals.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { V4 } from "./support/ends.ts";
import { netConnect } from "../src/transport/net/connect.ts";

const { name, timers } = await pickTransport();

/** As it is, but for one member of the handle. */
function without<T extends object>(owner: T, member: string): T {
  const { _handle: handle } = owner as { _handle?: object | null };
  const lacking = new Proxy(handle ?? {}, {
    get: (target, key) => key === member ? undefined : Reflect.get(target, key),
  });
  return new Proxy(owner, {
    get: (target, key) =>
      key === "_handle" ? lacking : Reflect.get(target, key),
  });
}

describe("what Node does not document", {
  skip: name !== "node" && "only Node has it",
}, () => {
  test("accepting is left to Node without onconnection or a handle", async () => {
    const server = createServer();
    const accepted = () => assert(false, "it was called");
    assertEquals(onAccept(server, accepted), false); // it does not listen yet
    await new Promise<void>((resolve) => server.listen(0, resolve));
    assertEquals(onAccept(without(server, "onconnection"), accepted), false);
    server.close();
  });

  test("a listener without it takes connections as documented", async () => {
    const take: TakeConnections = (server, listener) => {
      const taken = onAccept(without(server, "onconnection"), () => {});
      assertEquals(taken, false);
      byConnectionEvent(server, listener);
    };
    const listener = await netListen(V4, {}, timers, take);
    const [client, server] = await Promise.all([
      netConnect(listener.endpoint, {}, timers).conn,
      listener.accept(),
    ]);
    await client.write(bytes("as ever"));
    await client.closeWrite();
    assertEquals(await readAll(server!), "as ever");
    client.close();
    server!.close();
    listener.close();
  });

  test("a socket without a handle of the known kind keeps it", async () => {
    await withSocket((socket) => {
      assertEquals(detachSocket(without(socket, "fd")), undefined);
      assertEquals(detachSocket(without(socket, "reading")), undefined);
      assertEquals(socket.destroyed, false);
    });
  });

  test("a reset where Node does not know how still lets go", async () => {
    await withSocket((socket) => {
      Object.defineProperty(socket, "resetAndClosing", { set() {} });
      resetNow(socket);
      resetNow(socket);
      assertEquals(socket.destroyed, true);
    });
  });
});

/** Runs `use` with a connected socket as Node makes it. */
async function withSocket(use: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const socket = new Socket();
  await new Promise<void>((resolve) =>
    socket.connect(port, "127.0.0.1", resolve)
  );
  try {
    use(socket);
  } finally {
    socket.destroy();
    server.close();
  }
}
