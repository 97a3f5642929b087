/** The promises that src/transport/transport.ts makes about giving away. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, readAll, text } from "./support/bytes.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { NotedPump } from "./support/pumps.ts";
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
    transport.connect(listener.endpoint).conn,
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
  test("a program goes on with it, and then we do", () =>
    withPair(async (client, accepted) => {
      const held = descriptors();
      await accepted.write(bytes("ours "));
      const detached = accepted.detach!()!;
      await client.write(bytes("sent before, "));
      const program = await transport.spawnOn!({
        program: "/bin/sh",
        args: ["-c", "sleep 0.2; printf 'program: '; cat"],
        env: { PATH: "/usr/bin:/bin" },
        socket: detached,
      });
      await client.write(bytes("and behind"));
      await client.closeWrite();
      const reading = readAll(client);
      assertEquals(await program.exited, { code: 0, signal: null });
      const again = (await program.reclaim())!;
      await again.write(bytes(", ours again"));
      await again.closeWrite();
      assertEquals(await readAll(again), "");
      again.close();
      assertEquals(
        await reading,
        "ours program: sent before, and behind, ours again",
      );
      client.close();
      await descriptorsBackTo(held - 2);
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

  test("not while bytes wait to be written, nor behind our own end", () =>
    withPair(async (client, accepted) => {
      const { sent } = await sendUntilHeldBack(accepted);
      assertEquals(accepted.detach!(), undefined);
      const got = digestAll(client);
      assertEquals((await got).count, await sent);
      assertEquals(accepted.detach!(), undefined);
    }));

  test("not while a pipe reads", () =>
    withPair(async (client, accepted) => {
      const pump = new NotedPump(accepted);
      assert(accepted.pipeTo!(client, pump));
      assertEquals(accepted.detach!(), undefined);
      accepted.interrupt(new Error("enough"));
      await client.write(bytes("x"));
      assertEquals(text((await accepted.read())!), "x");
      assert(accepted.detach!() !== undefined);
    }));

  test("not behind a read that was interrupted, before what came is read", () =>
    withPair(async (client, accepted) => {
      const reading = accepted.read().catch(() => {});
      accepted.interrupt(new Error("enough"));
      await reading;
      await client.write(bytes("x"));
      await sleep(50);
      assertEquals(accepted.detach!(), undefined);
      assertEquals(text((await accepted.read())!), "x");
      assert(accepted.detach!() !== undefined);
    }));

  test("one that is aborted before it is released is reset", () =>
    withPair(async (client, accepted) => {
      assert(accepted.detach!() !== undefined);
      let end = "";
      const reading = client.read().then(
        () => end = "end",
        () => end = "reset",
      );
      await sleep(100);
      assertEquals(end, "");
      accepted.abort();
      await reading;
      assertEquals(end, "reset");
    }));

  test("released twice and aborted, it is let go once", () =>
    withPair(async (client, accepted) => {
      const held = descriptors();
      const detached = accepted.detach!()!;
      detached.release();
      detached.release();
      accepted.abort();
      assertEquals(await client.read(), null);
      client.close();
      await descriptorsBackTo(held - 2);
    }));
});
