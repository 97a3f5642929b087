import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { drain } from "../src/drain.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { codeOf, TcpmuxError } from "../src/errors.ts";
import { Relay } from "../src/relay.ts";
import {
  type Counters,
  MissedDeadline,
  type RelayLimits,
} from "../src/relay_options.ts";
import { type Expiring, type Timer, TimerList } from "../src/timers.ts";
import { closedHere } from "../src/transport/errno.ts";
import { memoryPair } from "../src/transport/memory.ts";
import { WrappedConn } from "../src/transport/stream_conn.ts";
import type { Conn, Pump } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  text,
  writePattern,
} from "./support/bytes.ts";
import { sleep, until } from "./support/wait.ts";

const A: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 1 };
const B: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 2 };

interface Settings extends Partial<RelayLimits> {
  readonly early?: string;
  readonly inputOver?: Promise<void>;
  readonly timers?: TimerList;
  /** Instead of the plain ends in memory. */
  readonly wrap?: (conn: Conn) => Conn;
}

/** A relay in the middle: who connects, who is connected to, how it ended. */
interface Relayed {
  readonly outside: Conn;
  readonly upstream: Conn;
  /** The relay's own ends. */
  readonly client: Conn;
  readonly peer: Conn;
  readonly counters: Counters;
  /** "done", or the code of the error; or the message of a deadline's. */
  readonly ended: Promise<string>;
}

function relayed(settings: Settings = {}): Relayed {
  const { wrap = (conn) => conn } = settings;
  const [outside, inside] = memoryPair(A, B);
  const [inner, upstream] = memoryPair(A, B);
  const [client, peer] = [wrap(inside), wrap(inner)];
  const counters = { bytesIn: 0, bytesOut: 0, lastMoved: 0 };
  const ended = new Relay({
    client,
    service: peer,
    counters,
    limits: {
      idleTimeout: settings.idleTimeout ?? 0,
      halfClosedTimeout: settings.halfClosedTimeout ?? 0,
      stallTimeout: settings.stallTimeout ?? 0,
    },
    timers: settings.timers ?? new TimerList(),
  }).run(bytes(settings.early ?? ""), settings.inputOver).then(
    () => "done",
    (error) => error instanceof MissedDeadline ? error.message : codeOf(error),
  );
  return { outside, upstream, client, peer, counters, ended };
}

/** Time passes only when it is told to. */
class StillTimers extends TimerList {
  waits: { milliseconds: number; expiring: Expiring }[] = [];

  override after(milliseconds: number, expiring: Expiring): Timer {
    const wait = { milliseconds, expiring };
    this.waits.push(wait);
    return {
      cancel: () => {
        const before = this.waits.length;
        this.waits = this.waits.filter((other) => other !== wait);
        return this.waits.length < before;
      },
    };
  }

  /** Ends the waits of that length. */
  expire(milliseconds: number): void {
    const due = this.waits.filter((wait) => wait.milliseconds === milliseconds);
    this.waits = this.waits.filter((wait) => !due.includes(wait));
    for (const { expiring } of due) {
      if (typeof expiring === "function") expiring();
      else expiring.expired();
    }
  }

  get lengths(): number[] {
    return this.waits.map(({ milliseconds }) => milliseconds);
  }
}

/** A side that is not read from is looked after: it is there, and then reset. */
async function noticesReset(
  timers: StillTimers,
  side: Conn,
  ended: Promise<string>,
): Promise<void> {
  await until("it is watched", () => timers.lengths.length === 1);
  assertEquals(timers.lengths, [15_000]);
  timers.expire(15_000);
  await sleep(10);
  assertEquals(timers.lengths, [15_000]); // it is there
  side.abort();
  timers.expire(15_000);
  assertEquals(await ended, "connection_reset");
}

/** How the relay's ends may be: with the fast path, and without it. */
const WAYS: readonly [string, Settings][] = [
  ["by reading and writing", {}],
  ["by pipes", { wrap: (conn) => new Piped(conn) }],
];

/** A connection with a fast path of its own, which reads and writes in turn. */
class Piped extends WrappedConn {
  #isWaiting = false;
  #pump: Pump | undefined;

  override get waiting(): boolean {
    return this.#isWaiting;
  }

  override interrupt(error: Error): void {
    this.#pump = undefined;
    super.interrupt(error);
  }

  /** A pipe reports at once that its source was let go on this side. */
  override close(): void {
    super.close();
    this.#drop();
  }

  override abort(): void {
    super.abort();
    this.#drop();
  }

  #drop(): void {
    const pump = this.#pump;
    this.#pump = undefined;
    pump?.over(this, closedHere());
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    this.#pump = pump;
    this.#pipe(sink, pump);
    return true;
  }

  async #pipe(sink: Conn, pump: Pump): Promise<void> {
    for (;;) {
      let bytes: Uint8Array | null;
      try {
        bytes = await super.read();
      } catch (error) {
        if (this.#pump === pump) pump.over(this, error as Error);
        return;
      }
      if (this.#pump !== pump) return;
      if (bytes === null) return pump.over(this, null);
      this.#isWaiting = true;
      pump.held(this);
      try {
        await sink.write(bytes);
      } catch (error) {
        return pump.sinkBroken(this, error as Error);
      }
      this.#isWaiting = false;
      pump.moved(this, bytes.length);
    }
  }
}

/** A connection to somebody who refuses what was sent early. */
class Deaf extends WrappedConn {
  override write(bytes: Uint8Array): Promise<void> {
    return text(bytes) === "unheard"
      ? Promise.reject(new TcpmuxError("broken_pipe", "reads no more"))
      : super.write(bytes);
  }
}

for (const [way, settings] of WAYS) {
  describe(`relay ${way}`, () => {
    test("sends what was read early first, and counts it", async () => {
      const { outside, upstream, counters, ended } = relayed({
        ...settings,
        early: "early ",
      });
      await outside.write(bytes("late"));
      await outside.closeWrite();
      assertEquals(await readAll(upstream), "early late");
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "");
      assertEquals(await ended, "done");
      assertEquals([counters.bytesIn, counters.bytesOut], [10, 0]);
    });

    for (const first of ["client", "peer"] as const) {
      test(`passes the end of the ${first} on, and the other goes on`, async () => {
        const { outside, upstream, counters, ended } = relayed(settings);
        const [ending, going] = first === "client"
          ? [outside, upstream]
          : [upstream, outside];
        await ending.write(bytes("question"));
        await ending.closeWrite();
        assertEquals(await readAll(going), "question");
        const sent = writePattern(going, 1_000_000).then(async (digest) => {
          await going.closeWrite();
          return digest;
        });
        const got = await digestAll(ending);
        assertEquals(got, { count: 1_000_000, digest: await sent });
        assertEquals(await ended, "done");
        const [small, large] = [8, 1_000_000];
        assertEquals(
          [counters.bytesIn, counters.bytesOut],
          first === "client" ? [small, large] : [large, small],
        );
      });
    }

    test("carries both ways at once", async () => {
      const { outside, upstream, ended } = relayed(settings);
      const total = 4_000_000;
      const send = async (conn: Conn) => {
        const digest = await writePattern(conn, total);
        await conn.closeWrite();
        return digest;
      };
      const [up, down, got, back] = await Promise.all([
        send(outside),
        send(upstream),
        digestAll(upstream),
        digestAll(outside),
      ]);
      assertEquals([got.digest, back.digest], [up, down]);
      assertEquals(await ended, "done");
    });

    test("holds a sender back while the other side does not read", async () => {
      const { outside, upstream, counters } = relayed(settings);
      let [written, before] = [0, -1];
      const sending = (async () => {
        for (; written < 8_000_000; written += 50_000) {
          await outside.write(new Uint8Array(50_000));
        }
      })();
      await until("the sender stands still", () => {
        const still = written === before;
        before = written;
        return still;
      });
      assert(written < 4_000_000, `${written} bytes went nowhere`);
      assert(counters.bytesIn < 4_000_000);
      const reading = digestAll(upstream);
      await sending;
      await outside.closeWrite();
      assertEquals((await reading).count, 8_000_000);
      await upstream.closeWrite();
    });

    test("passes a reset of the client on to the peer", async () => {
      const { outside, upstream, ended } = relayed(settings);
      outside.abort();
      const error = await assertRejects(() => upstream.read(), TcpmuxError);
      assertEquals(error.code, "connection_reset");
      assertEquals(await ended, "connection_reset");
    });

    test("passes a reset of the peer on to the client", async () => {
      const { outside, upstream, ended } = relayed(settings);
      upstream.abort();
      const error = await assertRejects(() => outside.read(), TcpmuxError);
      assertEquals(error.code, "connection_reset");
      assertEquals(await ended, "connection_reset");
    });

    test("lets a peer know that a client is gone which had ended before", async () => {
      const { outside, upstream, ended } = relayed(settings);
      await outside.closeWrite();
      assertEquals(await readAll(upstream), "");
      outside.abort();
      await assertRejects(async () => {
        for (;;) await upstream.write(bytes("to nobody"));
      }, TcpmuxError);
      assertEquals(await ended, "connection_reset");
    });

    test("is done when a peer is gone that had ended before", async () => {
      const { outside, upstream, ended } = relayed(settings);
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "");
      upstream.abort();
      await outside.write(bytes("to nobody"));
      await outside.closeWrite();
      assertEquals(await ended, "done");
    });

    test("lets go of both sides when the client is aborted here", async () => {
      const { outside, upstream, client, ended } = relayed(settings);
      await outside.write(bytes("a"));
      assertEquals(await readSome(upstream, 1), "a");
      client.abort();
      assertEquals(await ended, "closed");
      for (const conn of [outside, upstream]) {
        await assertRejects(() => conn.read(), TcpmuxError, "reset");
      }
    });

    test("ends when a side was aborted before it begins", async () => {
      const { ended } = relayed({
        wrap(conn) {
          conn.abort();
          return settings.wrap?.(conn) ?? conn;
        },
      });
      assertEquals(await ended, "closed");
    });

    test("delivers what a client sent before it went", async () => {
      const { outside, upstream, ended } = relayed(settings);
      await outside.write(bytes("last words"));
      outside.close();
      assertEquals(await readSome(upstream, 10), "last words");
      await upstream.write(bytes("to nobody"));
      assertEquals(await upstream.read(), null);
      assertEquals(await ended, "broken_pipe");
    });

    test("delivers a peer's answer when the peer reads no more", async () => {
      const { outside, upstream, client, counters, ended } = relayed(settings);
      await upstream.write(bytes("go away"));
      upstream.close();
      assertEquals(await readSome(outside, 7), "go away");
      const drained = ended.then(() => drain(client, new TimerList()));
      // The client is not held up, though nobody takes what it sends.
      for (let i = 0; i < 20; i++) await outside.write(new Uint8Array(10_000));
      await outside.closeWrite();
      assertEquals(await readAll(outside), "");
      assertEquals(await ended, "done");
      await drained;
      assertEquals([counters.bytesIn, counters.bytesOut], [0, 7]);
    });

    test("delivers a peer's answer though its early bytes are refused", async () => {
      const { outside, upstream, ended } = relayed({
        ...settings,
        early: "unheard",
        wrap: (conn) => {
          const deaf = new Deaf(conn);
          return settings.wrap?.(deaf) ?? deaf;
        },
      });
      await outside.write(new Uint8Array(1_000_000));
      await upstream.write(bytes("answer"));
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "answer");
      await outside.closeWrite();
      assertEquals(await ended, "done");
    });

    test("does not wait for a client whose input concerns nobody", async () => {
      let over: () => void;
      const inputOver = new Promise<void>((resolve) => over = resolve);
      const { outside, upstream, client, ended } = relayed({
        ...settings,
        inputOver,
      });
      await upstream.write(bytes("answer"));
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "answer");
      over!();
      assertEquals(await ended, "done");
      // The client is still there, and loses nothing.
      await outside.write(bytes("rest"));
      assertEquals(await readSome(client, 4), "rest");
    });

    test("waits for the answer though the input is over", async () => {
      const { outside, upstream, ended } = relayed({
        ...settings,
        inputOver: Promise.resolve(),
      });
      await sleep(10);
      await upstream.write(bytes("answer"));
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "answer");
      assertEquals(await ended, "done");
    });

    test("has let the peer go when it is done, and left the client", async () => {
      const { outside, upstream, client, ended } = relayed(settings);
      await upstream.closeWrite();
      await outside.closeWrite();
      assertEquals(await ended, "done");
      await assertRejects(() => upstream.write(bytes("?")), TcpmuxError);
      assertEquals(client.end, null);
    });
  });

  describe(`a deadline of a relay ${way}`, () => {
    test("is over without a byte either way", async () => {
      const { outside, ended } = relayed({ ...settings, idleTimeout: 400 });
      const begin = performance.now();
      for (let i = 0; i < 8; i++) {
        await sleep(30);
        await outside.write(bytes("."));
      }
      assertEquals(await ended, "idle_timeout expired");
      assert(performance.now() - begin >= 600);
      await assertRejects(() => outside.read(), TcpmuxError, "reset");
    });

    for (const first of ["client", "peer"] as const) {
      test(`is over when nothing follows the end of the ${first}`, async () => {
        const { outside, upstream, ended } = relayed({
          ...settings,
          halfClosedTimeout: 400,
        });
        await sleep(500); // it is no limit of those who have not ended
        const [ending, going] = first === "client"
          ? [outside, upstream]
          : [upstream, outside];
        await ending.closeWrite();
        for (let i = 0; i < 8; i++) {
          await sleep(30);
          await going.write(bytes("."));
        }
        assertEquals(await ended, "half_closed_timeout expired");
        await assertRejects(() => going.write(bytes("?")), TcpmuxError);
      });
    }

    for (const slow of ["client", "peer"] as const) {
      test(`is over when the ${slow} takes none of what waits`, async () => {
        const { outside, upstream, ended } = relayed({
          ...settings,
          stallTimeout: 600,
        });
        const [sender, taker] = slow === "peer"
          ? [outside, upstream]
          : [upstream, outside];
        const sending = writePattern(sender, 10_000_000).catch(() => {});
        let isOver = false;
        ended.then(() => isOver = true);
        for (let i = 0; i < 16; i++) { // slow, but not dead
          await sleep(50);
          await taker.read();
          assert(!isOver);
        }
        const begin = performance.now();
        assertEquals(await ended, "stall_timeout expired");
        assert(performance.now() - begin >= 400);
        await sending;
      });
    }

    test("does not matter to who has nothing to take", async () => {
      const { outside, upstream, ended } = relayed({
        ...settings,
        stallTimeout: 50,
      });
      await sleep(300);
      await outside.closeWrite();
      await upstream.closeWrite();
      assertEquals(await ended, "done");
    });

    for (const first of ["client", "peer"] as const) {
      test(`comes soon where the ${first} ended, and was reset then`, async () => {
        const timers = new StillTimers();
        const { outside, upstream, ended } = relayed({ ...settings, timers });
        assertEquals(timers.lengths, []); // an idle one costs no look
        const [ending, going] = first === "client"
          ? [outside, upstream]
          : [upstream, outside];
        await ending.closeWrite();
        assertEquals(await readAll(going), "");
        await noticesReset(timers, ending, ended);
        await assertRejects(() => going.write(bytes("?")), TcpmuxError);
        assertEquals(timers.lengths, []);
      });
    }

    test("comes soon where the client was held back, and was reset then", async () => {
      const timers = new StillTimers();
      const { outside, upstream, ended } = relayed({ ...settings, timers });
      const sending = writePattern(outside, 10_000_000).catch(() => {});
      await noticesReset(timers, outside, ended);
      await sending;
      await assertRejects(() => upstream.write(bytes("?")), TcpmuxError);
      assertEquals(timers.lengths, []);
    });

    test("is called off when all is over", async () => {
      const timers = new StillTimers();
      const { outside, upstream, ended } = relayed({
        ...settings,
        timers,
        idleTimeout: 1_000,
        halfClosedTimeout: 1_000,
        stallTimeout: 1_000,
      });
      await outside.closeWrite();
      await upstream.closeWrite();
      assertEquals(await ended, "done");
      assertEquals(timers.lengths, []);
    });

    test("takes years", async () => {
      const year = 365 * 24 * 3600 * 1000;
      const { outside, upstream, ended } = relayed({
        ...settings,
        idleTimeout: 10 * year,
        halfClosedTimeout: 10 * year,
        stallTimeout: 10 * year,
      });
      await sleep(50);
      await outside.closeWrite();
      await sleep(50);
      await upstream.write(bytes("still there"));
      await upstream.closeWrite();
      assertEquals(await readAll(outside), "still there");
      assertEquals(await ended, "done");
    });
  });
}
