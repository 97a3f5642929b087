/** The promises that src/transport/transport.ts makes about giving away. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ClientConn } from "../src/client_conn.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, readAll, text } from "./support/bytes.ts";
import { descriptors, descriptorsBackTo, sleep } from "./support/wait.ts";

const transport = await pickTransport();
const { socketStdio } = transport.abilities;

/** Runs `use` with both ends of a connection. */
async function withPair(
  use: (client: Conn, accepted: Conn) => Promise<void>,
): Promise<void> {
  const listener = await transport.listen({
    transport: "tcp",
    host: "127.0.0.1",
    port: 0,
  });
  const [client, accepted] = await Promise.all([
    transport.connect(listener.endpoint),
    listener.accept(),
  ]);
  try {
    await use(client, accepted!);
  } finally {
    client.abort();
    accepted!.abort();
    listener.close();
  }
}

describe(`${transport.name}, a descriptor given away`, {
  skip: !socketStdio,
}, () => {
  test("a program goes on with it, and we hold nothing of it", () =>
    withPair(async (client, accepted) => {
      const held = descriptors();
      await accepted.write(bytes("ours "));
      const detached = accepted.detach!()!;
      await client.write(bytes("sent before, "));
      const program = await transport.spawnOn!({
        program: "/bin/sh",
        args: ["-c", "sleep 0.2; printf 'program: '; cat"],
        env: { PATH: "/usr/bin:/bin" },
        socket: detached.fd,
      });
      detached.release();
      await client.write(bytes("and behind"));
      await client.closeWrite();
      assertEquals(
        await readAll(client),
        "ours program: sent before, and behind",
      );
      assertEquals(await program.exited, { code: 0, signal: null });
      client.close();
      await descriptorsBackTo(held - 1);
    }));

  test("not while bytes lie unread, which are still there to be read", () =>
    withPair(async (client, accepted) => {
      await client.write(bytes("early"));
      await sleep(100);
      assertEquals(accepted.detach!(), undefined);
      assertEquals(text((await accepted.read())!), "early");
      assert(accepted.detach!() !== undefined);
    }));

  test("not while a read is under way, nor when it is over", () =>
    withPair(async (client, accepted) => {
      const reading = accepted.read();
      assertEquals(accepted.detach!(), undefined);
      await client.write(bytes("x"));
      assertEquals(text((await reading)!), "x");
      accepted.close();
      assertEquals(accepted.detach!(), undefined);
    }));

  test("not with bytes that were read too much and given back", () =>
    withPair(async (_, accepted) => {
      const conn = new ClientConn(accepted);
      conn.unread(bytes("x"));
      assertEquals(conn.detach(), undefined);
      assertEquals(text((await conn.read())!), "x");
      conn.dropNext(0);
      assertEquals(conn.detach(), undefined);
    }));

  test("a client's that is aborted before it is released is reset", () =>
    withPair(async (client, accepted) => {
      const conn = new ClientConn(accepted);
      assert(conn.detach() !== undefined);
      await conn.finish(); // not ours to finish
      let end = "";
      const reading = client.read().then(
        () => end = "end",
        () => end = "reset",
      );
      await sleep(100);
      assertEquals(end, "");
      conn.abort();
      await reading;
      assertEquals(end, "reset");
    }));
});
