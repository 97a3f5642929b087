/** The promises of src/transport/transport.ts, held against any transport. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Endpoint } from "../src/endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";
import { WrappedConn } from "../src/transport/stream_conn.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import { attemptContract } from "./attempt_contract.ts";
import { endContract } from "./end_contract.ts";
import { interruptContract } from "./interrupt_contract.ts";
import { addressContract, listenContract } from "./listen_contract.ts";
import { pipeContract } from "./pipe_contract.ts";
import {
  bytes,
  digestAll,
  once,
  pattern,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import {
  gapOf,
  type Gaps,
  kinds,
  V4,
  withPair as withPairOf,
} from "./support/ends.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { rejectsWith } from "./support/rejects.ts";
import {
  descriptors,
  descriptorsBackTo,
  descriptorsSettled,
  sleep,
} from "./support/wait.ts";

/** Less than the first window of TCP. */
const UNREAD = 60_000;

/** @param title which transport it is, where its name does not say so */
export function transportContract(
  transport: Transport,
  title: string = transport.name,
  gaps: Gaps = {},
): void {
  const isReal = transport.name !== "memory";
  // What goes inside another connection neither listens nor connects.
  const isInner = gaps["sockets and pipes"] !== undefined;
  const all = kinds();
  const withPair = (
    endpoint: Endpoint,
    use: (client: Conn, server: Conn) => Promise<void>,
  ) => withPairOf(transport, endpoint, use);

  for (const kind of all) {
    endContract(transport, title, kind, gaps);
    if (isInner) continue;
    listenContract(transport, title, kind);
    if (!isReal) continue;
    pipeContract(transport, title, kind);
    interruptContract(transport, title, kind);
  }
  if (isReal && !isInner) {
    attemptContract(transport, title, all[2]);
    addressContract(transport, title);
  }

  for (const { name, make } of all) {
    describe(`${title} over ${name}`, () => {
      test("carries bytes both ways", () =>
        withPair(make(), async (client, server) => {
          await client.write(bytes("ping"));
          assertEquals(await readSome(server, 4), "ping");
          await server.write(bytes("pong"));
          assertEquals(await readSome(client, 4), "pong");
        }));

      test("writing no bytes sends none, and is no failure", () =>
        withPair(make(), async (client, server) => {
          await client.write(new Uint8Array(0));
          await server.write(new Uint8Array(0));
          await client.write(bytes("ping"));
          assertEquals(await readSome(server, 4), "ping");
          await server.closeWrite();
          assertEquals(await client.read(), null);
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

      const delivers = "close delivers what was written before, and the end";
      test(
        delivers,
        gapOf(gaps, delivers, name),
        () =>
          withPair(make(), async (client, server) => {
            const writing = client.write(pattern(300_000));
            client.close();
            client.close();
            assertEquals((await digestAll(server)).count, 300_000);
            await writing;
            await rejectsWith("closed", () => client.read());
          }),
      );

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
        const what =
          `what the peer of the ${writer} sent before it closed is read, though writing fails`;
        test(
          what,
          gapOf(gaps, what, name),
          () =>
            withPair(make(), async (client, server) => {
              const [writing, closing] = writer === "client"
                ? [client, server]
                : [server, client];
              await closing.write(pattern(UNREAD));
              await closing.closeWrite();
              closing.close();
              await assertRejects(async () => {
                for (let i = 0; i < 1000; i++) {
                  await writing.write(pattern(10_000));
                  await sleep(1);
                }
              }, TcpmuxError);
              assertEquals((await digestAll(writing)).count, UNREAD);
            }),
        );
      }

      const ends = "a write under way ends when either side aborts";
      test(ends, gapOf(gaps, ends, name), async () => {
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

      test("a writer and a reader without end let others have their turn", () =>
        withPair(make(), async (client, server) => {
          let isOver = false;
          const talking = (async () => {
            while (!isOver) await client.write(pattern(100));
          })();
          const dropping = (async () => {
            while (await server.read() !== null);
          })();
          await sleep(50);
          isOver = true;
          await talking;
          await client.closeWrite();
          await dropping;
        }));

      test("Web Streams carry the same bytes", () =>
        withPair(make(), async (client, server) => {
          const { readable, writable } = new WrappedConn(server);
          const echo = readable.pipeTo(writable);
          const sent = writePattern(client, 500_000).then(async (digest) => {
            await client.closeWrite();
            return digest;
          });
          const got = await digestAll(client);
          await echo;
          assertEquals(got, { count: 500_000, digest: await sent });
        }));

      if (isReal) {
        test("connections leave no descriptor behind", async () => {
          await descriptorsSettled();
          const before = descriptors();
          const listener = await transport.listen(make());
          for (let i = 0; i < 200; i++) {
            const [client, server] = await Promise.all([
              transport.connect(listener.endpoint).conn,
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

  if (isReal) {
    describe(`${title}, aborting`, () => {
      const resets = "abort resets the peer where the transport is able to";
      test(
        resets,
        gapOf(gaps, resets, "TCP"),
        () =>
          withPair(V4, async (client, server) => {
            const reading = server.read();
            await sleep(20);
            client.abort();
            if (transport.abilities.reset) {
              await rejectsWith("connection_reset", () => reading);
            } else assertEquals(await reading, null);
          }),
      );
    });
  }
}
