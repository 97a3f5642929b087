/** Listening and accepting, held against any transport. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Endpoint } from "../src/endpoint.ts";
import type { Transport } from "../src/transport/transport.ts";
import { bytes, readSome } from "./support/bytes.ts";
import { type Kind, V4 } from "./support/ends.ts";
import { assail } from "./support/hostile.ts";
import { needs } from "./support/needs.ts";
import { rudeClient } from "./support/rude.ts";
import { rejectsWith } from "./support/rejects.ts";
import { sleep } from "./support/wait.ts";

export function listenContract(
  transport: Transport,
  title: string,
  { name, make }: Kind,
): void {
  describe(`${title} listens on ${name}`, () => {
    test("a port or path in use has a code of its own", async () => {
      const listener = await transport.listen(make());
      try {
        await rejectsWith(
          "address_in_use",
          () => transport.listen(listener.endpoint),
        );
      } finally {
        listener.close();
      }
    });

    test("a closed listener accepts null, and its address is free", async () => {
      const listener = await transport.listen(make());
      const accepting = listener.accept();
      listener.close();
      assertEquals(await accepting, null);
      assertEquals(await listener.accept(), null);
      await sleep(20);
      (await transport.listen(listener.endpoint)).close();
    });

    test("connections outlive their listener", async () => {
      const listener = await transport.listen(make());
      const [client, server] = await Promise.all([
        transport.connect(listener.endpoint).conn,
        listener.accept(),
      ]);
      assert(server !== null);
      listener.close();
      await client.write(bytes("still"));
      assertEquals(await readSome(server, 5), "still");
      client.close();
      assertEquals(await server.read(), null);
      server.close();
    });
  });
}

/** What a system has to say of addresses. */
export function addressContract(transport: Transport, title: string): void {
  describe(`${title} listens`, () => {
    test("a dual-stack listener takes IPv4 and shows it as IPv4", async () => {
      const listener = await transport.listen({
        transport: "tcp",
        host: "::",
        port: 0,
      });
      assert(listener.endpoint.transport === "tcp");
      const { port } = listener.endpoint;
      const client = await transport.connect({ ...V4, port } as Endpoint)
        .conn;
      const server = await listener.accept();
      assertEquals(server?.remote, client.local);
      assertEquals(server?.local, {
        transport: "tcp",
        host: "127.0.0.1",
        port,
      });
      client.close();
      server?.close();
      listener.close();
    });

    test("connections that are gone at once do not hold up the next", async () => {
      const listener = await transport.listen(V4);
      assert(listener.endpoint.transport === "tcp");
      await assail(listener.endpoint.port, { count: 200 }, "reset");
      const client = await transport.connect(listener.endpoint).conn;
      for (let found = false; !found;) {
        const conn = await listener.accept();
        found = conn?.remote.transport === "tcp" &&
          client.local.transport === "tcp" &&
          conn.remote.port === client.local.port;
        conn?.close();
      }
      client.close();
      listener.close();
    });

    test(
      "a reset has one code, whoever notices it first",
      needs("perl"),
      async () => {
        for (const how of ["writing", "both", "late", "late, both"]) {
          const listener = await transport.listen(V4);
          assert(listener.endpoint.transport === "tcp");
          const rude = rudeClient(listener.endpoint.port, "", { lines: 1 });
          const conn = await listener.accept();
          assert(conn !== null);
          await conn.write(bytes("x\n"));
          const peer = await rude;
          const reading = how.endsWith("both")
            ? rejectsWith("connection_reset", () => conn.read())
            : undefined;
          if (how.startsWith("late")) {
            await peer.reset();
            await reading;
          } else {
            const much = new Uint8Array(64 * 1024 * 1024);
            const writing = rejectsWith(
              "connection_reset",
              () => conn.write(much),
            );
            await sleep(50);
            await peer.reset();
            await writing;
            await reading;
          }
          for (let times = 0; times < 3; times++) {
            await rejectsWith("connection_reset", () => conn.write(bytes("x")));
          }
          await conn.closeWrite().catch(() => {});
          await rejectsWith("connection_reset", () => conn.read());
          conn.close();
          listener.close();
        }
      },
    );

    test("a peer that has closed in order is a broken pipe to a writer", async () => {
      const listener = await transport.listen(V4);
      const conn = await transport.connect(listener.endpoint).conn;
      (await listener.accept())!.close();
      assertEquals(await conn.read(), null);
      await rejectsWith("broken_pipe", async () => {
        for (let times = 0; times < 1000; times++) {
          await conn.write(bytes("x"));
          await sleep(1);
        }
      });
      conn.close();
      listener.close();
    });

    test("an address of another machine cannot be listened on", async () => {
      await rejectsWith(
        "address_not_available",
        () =>
          transport.listen({ transport: "tcp", host: "192.0.2.1", port: 0 }),
      );
    });
  });
}
