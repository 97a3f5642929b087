/** The promises of src/transport/transport.ts, held against any transport. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Endpoint } from "../src/endpoint.ts";
import { type ErrorCode, TcpmuxError } from "../src/errors.ts";
import type { Conn, Listener, Transport } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  pattern,
  readAll,
  readSome,
  text,
  writePattern,
} from "./support/bytes.ts";
import { carryContract } from "./carry_contract.ts";
import { blackhole } from "./support/blackhole.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { assail } from "./support/hostile.ts";
import {
  descriptors,
  descriptorsBackTo,
  sleep,
  until,
} from "./support/wait.ts";

const V4: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 0 };
const V6: Endpoint = { transport: "tcp", host: "::1", port: 0 };

export function transportContract(transport: Transport): void {
  const system = transport.name !== "memory";
  const tells = transport.name === "bun" || transport.name === "node";
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-contract-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const waiting = 60_000; // less than the first window of TCP
  let sockets = 0;
  const unixPath = () => `${folder}/${++sockets}.sock`;
  const ends: [string, () => Endpoint][] = [
    ["IPv4", () => V4],
    ["IPv6", () => V6],
    ["a Unix socket", () => ({ transport: "unix", path: unixPath() })],
    ["an abstract Unix socket", () => ({
      transport: "unix",
      path: `\0tcpmux-contract-${process.pid}-${transport.name}-${++sockets}`,
    })],
  ];

  /** A connected pair, both ends of it ours. */
  async function pair(endpoint: Endpoint): Promise<[Conn, Conn, Listener]> {
    const listener = await transport.listen(endpoint);
    const [client, server] = await Promise.all([
      transport.connect(listener.endpoint),
      listener.accept(),
    ]);
    assert(server !== null);
    return [client, server, listener];
  }

  async function withPair(
    endpoint: Endpoint,
    run: (client: Conn, server: Conn) => Promise<void>,
  ): Promise<void> {
    const [client, server, listener] = await pair(endpoint);
    try {
      await run(client, server);
    } finally {
      client.abort();
      server.abort();
      listener.close();
    }
  }

  for (const [kind, make] of system ? ends : []) {
    carryContract(transport, kind, make);
  }

  for (const [kind, make] of ends) {
    describe(`${transport.name} over ${kind}`, () => {
      if (tells) {
        test("tells a reader what reading would give", () =>
          withPair(make(), async (client, server) => {
            const next = () =>
              new Promise<Uint8Array | null>((took, failed) => {
                server.readTo!({ took, failed });
              });
            const waiting = next();
            await assertRejects(next, TypeError, "already under way");
            await client.write(bytes("awaited"));
            assertEquals(text((await waiting)!), "awaited");
            await client.write(bytes("early"));
            await sleep(50);
            assertEquals(text((await next())!), "early");
            const last = next();
            await client.closeWrite();
            assertEquals([await last, await next()], [null, null]);
            server.close();
            await assertRejects(next, TcpmuxError, "closed");
          }));
      }

      test("carries bytes both ways", () =>
        withPair(make(), async (client, server) => {
          await client.write(bytes("ping"));
          assertEquals(await readSome(server, 4), "ping");
          await server.write(bytes("pong"));
          assertEquals(await readSome(client, 4), "pong");
        }));

      for (const first of ["client", "server"] as const) {
        test(`half-close: the ${first} ends, the other still answers`, () =>
          withPair(make(), async (client, server) => {
            const [ending, going] = first === "client"
              ? [client, server]
              : [server, client];
            await ending.write(bytes("question"));
            await ending.closeWrite();
            assertEquals(await readAll(going), "question");
            const sent = writePattern(going, 2_000_000).then(async (digest) => {
              await going.closeWrite();
              return digest;
            });
            await sleep(50); // the end and much of the rest wait in the kernel
            const got = await digestAll(ending);
            assertEquals(got, { count: 2_000_000, digest: await sent });
          }));
      }

      test("a sender is held back while nobody reads, then loses nothing", () =>
        withPair(make(), async (client, server) => {
          const { sent } = await sendUntilHeldBack(client);
          const got = await digestAll(server);
          assertEquals(got.count, await sent);
        }));

      test("a reader at the end of the stream stays there", () =>
        withPair(make(), async (client, server) => {
          await client.closeWrite();
          assertEquals(await server.read(), null);
          assertEquals(await server.read(), null);
        }));

      test("writes that are not awaited keep their order", () =>
        withPair(make(), async (client, server) => {
          const block = pattern(251 * 2000);
          const writes = Array.from({ length: 8 }, () => client.write(block));
          const ending = client.closeWrite();
          const got = await digestAll(server);
          await Promise.all([...writes, ending]);
          const whole = Buffer.concat(Array(8).fill(block));
          const sent = await digestAll({ read: once(whole) });
          assertEquals(got, sent);
        }));

      test("close delivers what was written before, and the end", () =>
        withPair(make(), async (client, server) => {
          const writing = client.write(pattern(300_000));
          client.close();
          client.close();
          assertEquals((await digestAll(server)).count, 300_000);
          await writing;
          await rejectsWith("closed", () => client.read());
        }));

      test("a read under way ends with code closed when we close", () =>
        withPair(make(), async (client, _server) => {
          const reading = rejectsWith("closed", () => client.read());
          await sleep(20);
          client.close();
          await reading;
        }));

      test("writing to a peer that is gone fails, and reading ends", () =>
        withPair(make(), async (client, server) => {
          server.abort();
          await assertRejects(async () => {
            for (let i = 0; i < 1000; i++) {
              await client.write(pattern(10_000));
              await sleep(1);
            }
          }, TcpmuxError);
          await client.read().catch(() => null);
        }));

      for (const writer of ["client", "server"] as const) {
        test(`what the peer of the ${writer} sent before it closed is read, though writing fails`, () =>
          withPair(make(), async (client, server) => {
            const [writing, closing] = writer === "client"
              ? [client, server]
              : [server, client];
            await closing.write(pattern(waiting));
            await closing.closeWrite();
            closing.close();
            await assertRejects(async () => {
              for (let i = 0; i < 1000; i++) {
                await writing.write(pattern(10_000));
                await sleep(1);
              }
            }, TcpmuxError);
            assertEquals((await digestAll(writing)).count, waiting);
          }));
      }

      test("a write under way ends when either side aborts", async () => {
        for (const side of ["own", "peer"] as const) {
          await withPair(make(), async (client, server) => {
            const writing = assertRejects(
              () => client.write(new Uint8Array(32 * 1024 * 1024)),
              TcpmuxError,
            );
            const ending = client.closeWrite().catch(() => {});
            await sleep(50);
            if (side === "own") client.abort();
            else server.abort();
            await Promise.all([writing, ending]);
          });
        }
      });

      test("Web Streams carry the same bytes", () =>
        withPair(make(), async (client, server) => {
          const echo = server.readable.pipeTo(server.writable);
          const sent = writePattern(client, 500_000).then(async (digest) => {
            await client.closeWrite();
            return digest;
          });
          const got = await digestAll(client);
          await echo;
          assertEquals(got, { count: 500_000, digest: await sent });
        }));

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
        const [client, server, listener] = await pair(make());
        listener.close();
        await client.write(bytes("still"));
        assertEquals(await readSome(server, 5), "still");
        client.close();
        assertEquals(await server.read(), null);
        server.close();
      });

      if (system) {
        test("connections leave no descriptor behind", async () => {
          await descriptorsSettled();
          const before = descriptors();
          const listener = await transport.listen(make());
          for (let i = 0; i < 200; i++) {
            const [client, server] = await Promise.all([
              transport.connect(listener.endpoint),
              listener.accept(),
            ]);
            assert(server !== null);
            await client.write(bytes("x"));
            await server.read();
            if (i % 4 === 0) client.abort();
            else if (i % 4 === 1) client.close();
            else await client.closeWrite();
            await server.read().catch(() => null);
            if (i % 2 === 0) server.close();
            else server.abort();
            client.close();
          }
          listener.close();
          await descriptorsBackTo(before);
        });
      }
    });
  }

  if (system) {
    describe(`${transport.name}, errors and limits`, () => {
      test("abort resets the peer where the transport is able to", () =>
        withPair(V4, async (client, server) => {
          const reading = server.read();
          await sleep(20);
          client.abort();
          if (transport.abilities.reset) {
            await rejectsWith("connection_reset", () => reading);
          } else assertEquals(await reading, null);
        }));

      test("a dual-stack listener takes IPv4 and shows it as IPv4", async () => {
        const listener = await transport.listen({
          transport: "tcp",
          host: "::",
          port: 0,
        });
        assert(listener.endpoint.transport === "tcp");
        const { port } = listener.endpoint;
        const client = await transport.connect({ ...V4, port } as Endpoint);
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
        const client = await transport.connect(listener.endpoint);
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

      test("a port nobody listens on refuses", async () => {
        const listener = await transport.listen(V4);
        listener.close();
        await sleep(20);
        await rejectsWith(
          "connection_refused",
          () => transport.connect(listener.endpoint),
        );
      });

      test("a Unix path that is not there is not found", () =>
        rejectsWith(
          "not_found",
          () => transport.connect({ transport: "unix", path: unixPath() }),
        ));

      test("an address of another machine cannot be listened on", () =>
        rejectsWith(
          "address_not_available",
          () =>
            transport.listen({ transport: "tcp", host: "192.0.2.1", port: 0 }),
        ));

      test("connecting times out and is cancelled, and holds nothing", async () => {
        const hole = await blackhole();
        try {
          await descriptorsSettled();
          const before = descriptors();
          await rejectsWith(
            "timed_out",
            () => transport.connect(hole.endpoint, { timeout: 80 }),
          );
          const controller = new AbortController();
          const connecting = rejectsWith(
            "cancelled",
            () =>
              transport.connect(hole.endpoint, { signal: controller.signal }),
          );
          await sleep(50);
          controller.abort();
          await connecting;
          await rejectsWith(
            "cancelled",
            () =>
              transport.connect(hole.endpoint, { signal: AbortSignal.abort() }),
          );
          await descriptorsBackTo(before);
        } finally {
          hole.close();
        }
      });
    });
  }
}

export async function rejectsWith(
  code: ErrorCode,
  run: () => Promise<unknown>,
): Promise<void> {
  const error = await assertRejects(run, TcpmuxError);
  assertEquals(error.code, code, `${error.message} ${error.cause}`);
}

/** A read that gives one chunk and then the end. */
function once(chunk: Uint8Array): () => Promise<Uint8Array | null> {
  let next: Uint8Array | null = chunk;
  return () => {
    const now = next;
    next = null;
    return Promise.resolve(now);
  };
}

/** Waits until what earlier tests closed is really gone. */
async function descriptorsSettled(): Promise<void> {
  let before = -1;
  await until("descriptors stand still", async () => {
    const now = descriptors();
    const still = now === before;
    before = now;
    await sleep(100);
    return still;
  });
}
