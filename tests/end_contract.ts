/** How reading and writing end, held against any transport. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  pattern,
  readAll,
  readSome,
  text,
  writePattern,
} from "./support/bytes.ts";
import {
  gapOf,
  type Gaps,
  type Kind,
  pairOf,
  withPair as withPairOf,
} from "./support/ends.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { rejectsWith } from "./support/rejects.ts";
import {
  descriptors,
  descriptorsBackTo,
  sleep,
  until,
} from "./support/wait.ts";

/** What a connection has been through before it is let go. */
const STATES: Record<string, (own: Conn, other: Conn) => Promise<unknown>> = {
  "fresh": () => Promise.resolve(),
  "with a read under way": (own) => {
    own.read().catch(() => {});
    return Promise.resolve();
  },
  "with a write under way": (own) => {
    own.write(pattern(16 * 1024 * 1024)).catch(() => {});
    return sleep(20);
  },
  "with bytes unread": async (own, other) => {
    await other.write(bytes("unread"));
    await sleep(20);
    assertEquals(own.end, undefined);
  },
  "after its own end": (own) => own.closeWrite(),
  "after the other's end": async (own, other) => {
    await other.closeWrite();
    assertEquals(await own.read(), null);
  },
  "after both ends": async (own, other) => {
    await Promise.all([own.closeWrite(), other.closeWrite()]);
    assertEquals([await own.read(), await other.read()], [null, null]);
  },
  "after the other has gone": async (own, other) => {
    other.abort();
    await own.read().catch(() => null);
  },
  "with a pipe": (own) => {
    own.pipeTo?.(own, { moved() {}, held() {}, over() {}, sinkBroken() {} });
    return Promise.resolve();
  },
};

export function endContract(
  transport: Transport,
  title: string,
  { name, make }: Kind,
  gaps: Gaps,
): void {
  const isReal = transport.name !== "memory";
  const withPair = (use: (own: Conn, other: Conn) => Promise<void>) =>
    withPairOf(transport, make(), use);

  /** The same for who connected and for who was connected to. */
  function bothWays(
    what: string,
    use: (own: Conn, other: Conn) => Promise<void>,
  ): void {
    const options = gapOf(gaps, what, name);
    test(`${what}: who connected`, options, () => withPair(use));
    test(
      `${what}: who accepted`,
      options,
      () => withPair((client, server) => use(server, client)),
    );
  }

  describe(`${title}, ends over ${name}`, () => {
    bothWays("an interrupted read loses nothing", async (own, other) => {
      const reading = own.read();
      const enough = new Error("enough");
      own.interrupt(enough);
      assert(await assertRejects(() => reading) === enough);
      own.interrupt(new Error("which nobody waits for"));
      await other.write(bytes("late"));
      assertEquals(text((await own.read())!), "late");
      const last = own.read();
      own.interrupt(enough);
      assert(await assertRejects(() => last) === enough);
      await other.closeWrite();
      assertEquals([await own.read(), await own.read()], [null, null]);
      await own.write(bytes("it lives on"));
      assertEquals(await readSome(other, 11), "it lives on");
    });

    test("interrupted again and again, a reader gets every byte", () =>
      withPair(async (own, other) => {
        const sent = writePattern(other, 3_000_000).then(async (digest) => {
          await other.closeWrite();
          return digest;
        });
        const again = new Error("again");
        let count = 0;
        const got = await digestAll({
          async read() {
            for (;;) {
              const reading = own.read();
              if (++count % 3 > 0) own.interrupt(again);
              try {
                return await reading;
              } catch (error) {
                assert(error === again, `${error}`);
                if (count % 3 === 2) await sleep(0);
              }
            }
          },
        });
        assertEquals(got, { count: 3_000_000, digest: await sent });
      }));

    test("one reader at a time", () =>
      withPair(async (own, other) => {
        const first = own.read();
        await assertRejects(() => own.read(), TypeError, "under way");
        await other.write(bytes("a"));
        assertEquals(text((await first)!), "a");
      }));

    bothWays("the end is known once it has come", async (own, other) => {
      assertEquals([own.end, own.waiting], [undefined, false]);
      const reading = own.read();
      await other.closeWrite();
      assertEquals([await reading, own.end], [null, null]);
      own.close();
      await rejectsWith("closed", () => own.read());
    });

    if (transport.abilities.reset) {
      test("a reset is the end, at every read", () =>
        withPair(async (own, other) => {
          const reading = own.read();
          await sleep(20);
          other.abort();
          if (isReal && name.includes("Unix")) {
            assertEquals(await reading, null);
          } else {
            await rejectsWith("connection_reset", () => reading);
            await rejectsWith("connection_reset", () => own.read());
            assert(own.end instanceof TcpmuxError);
            assertEquals(own.end.code, "connection_reset");
          }
        }));
    }

    bothWays(
      "a peer is alive after its end, and not after a reset behind it",
      async (own, other) => {
        assertEquals([await own.isAlive(), await other.isAlive()], [
          true,
          true,
        ]);
        await other.closeWrite();
        assertEquals(await own.read(), null);
        for (let i = 0; i < 3; i++) {
          assertEquals(await own.isAlive(), true);
          await sleep(10);
        }
        await own.write(bytes("all that is sent"));
        assertEquals(await readSome(other, 16), "all that is sent");
        await own.write(bytes("unread, so that closing resets"));
        await sleep(30);
        other.abort();
        await until(
          "it is known",
          async () => !await own.isAlive(),
          5000,
        );
      },
    );

    test("after our own end a live peer is still called alive", () =>
      withPair(async (own, other) => {
        await own.closeWrite();
        assertEquals(await own.isAlive(), true);
        assertEquals(await readAll(other), "");
        assertEquals(await own.isAlive(), true);
        await other.write(bytes("answer"));
        assertEquals(await readSome(own, 6), "answer");
      }));

    test("asking a peer that is held back does not wait for it", () =>
      withPair(async (own, other) => {
        const { sent } = await sendUntilHeldBack(own);
        assertEquals(await own.isAlive(), true);
        assertEquals((await digestAll(other)).count, await sent);
      }));

    for (const how of ["close", "abort"] as const) {
      for (const [state, reach] of Object.entries(STATES)) {
        test(`${how} twice, ${state}`, () =>
          withPair(async (own, other) => {
            await reach(own, other);
            own[how]();
            own[how]();
            await rejectsWith("closed", () => own.read());
            own.interrupt(new Error("which nobody waits for"));
            if (how === "abort" || !state.includes("write")) {
              await assertRejects(() => own.write(bytes("x")), TcpmuxError);
              await own.closeWrite();
              assertEquals(await own.isAlive(), false);
            }
            assert(own.end !== undefined);
            if (how === "close") own.abort();
            else own.close();
            try {
              while (await other.read() !== null);
            } catch (error) {
              assert(error instanceof TcpmuxError, `${error}`);
            }
          }));
      }
    }

    if (isReal) {
      test("no state leaves a descriptor behind", async () => {
        const before = descriptors();
        for (const reach of Object.values(STATES)) {
          for (const how of ["close", "abort"] as const) {
            const [own, other] = await pairOf(transport, make());
            await reach(own, other);
            own[how]();
            other.abort();
            own.abort();
          }
        }
        await descriptorsBackTo(before);
      });
    }
  });
}
