import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { TcpmuxError } from "../src/errors.ts";
import { UNNAMED } from "../src/endpoint.ts";
import { type Outlet, PushedConn } from "../src/transport/pushed_conn.ts";
import { bytes, text } from "./support/bytes.ts";
import { NotedPump } from "./support/pumps.ts";
import { rejectsWith } from "./support/rejects.ts";

/** Unread bytes at which a peer is held back. */
const MOST_UNREAD = 64 * 1024;

/** A connection of which the test is the runtime. */
class Pushed extends PushedConn implements Outlet {
  isHeldBack = false;
  /** What it was given by pipes, and whether it takes more at once. */
  poured = "";
  takesAtOnce = true;
  broken: Error | undefined;
  source: PushedConn | undefined;

  constructor() {
    super({ local: UNNAMED, remote: UNNAMED });
  }

  pauseInput(): void {
    this.isHeldBack = true;
  }
  resumeInput(): void {
    this.isHeldBack = false;
  }
  write = () => Promise.resolve();
  closeWrite = () => Promise.resolve();
  isAlive = () => Promise.resolve(true);
  close(): void {
    this.drop();
  }
  abort(): void {
    this.drop();
  }
  pour(bytes: Uint8Array, source: PushedConn): number {
    if (this.broken !== undefined) throw this.broken;
    this.poured += text(bytes);
    this.source = source;
    return this.takesAtOnce ? bytes.length : 0;
  }

  push(text: string): void {
    this.arrived(bytes(text));
  }
  finish(): void {
    this.over(null);
  }
  break(error: Error): void {
    this.over(error);
  }
  endInput(): boolean {
    return this.endIfAwaited();
  }
}

async function readText(conn: Pushed): Promise<string | null> {
  const chunk = await conn.read();
  return chunk === null ? null : text(chunk);
}

/** A pipe of one to the other. */
function piped(takesAtOnce = true) {
  const [source, sink] = [new Pushed(), new Pushed()];
  sink.takesAtOnce = takesAtOnce;
  const pump = new NotedPump(source);
  assert(source.pipeTo(sink, pump));
  return { source, sink, pump };
}

const RESET = new TcpmuxError("connection_reset", "reset");
const PIPE = new TcpmuxError("broken_pipe", "broken");

describe("a connection whose runtime pushes", () => {
  test("gives what came first, then what comes", async () => {
    const conn = new Pushed();
    conn.push("a");
    conn.push("b");
    assertEquals([await readText(conn), await readText(conn)], ["a", "b"]);
    const waiting = readText(conn);
    conn.push("c");
    assertEquals(await waiting, "c");
  });

  test("takes no empty piece for bytes or for an end", async () => {
    const conn = new Pushed();
    const waiting = readText(conn);
    conn.push("");
    conn.push("a");
    assertEquals(await waiting, "a");
  });

  test("holds its peer back at the bound, and no more when empty", async () => {
    const conn = new Pushed();
    conn.push("a".repeat(MOST_UNREAD - 1));
    assertEquals(conn.isHeldBack, false);
    conn.push("b");
    assertEquals(conn.isHeldBack, true);
    await conn.read();
    assertEquals(conn.isHeldBack, true);
    await conn.read();
    assertEquals(conn.isHeldBack, false);
  });

  test("stays at its end, which is known before it is read", async () => {
    const conn = new Pushed();
    conn.push("a");
    assertEquals(conn.end, undefined);
    conn.finish();
    assertEquals(conn.end, null);
    conn.push("late");
    conn.break(RESET);
    assertEquals(await readText(conn), "a");
    assertEquals([await conn.read(), await conn.read()], [null, null]);
  });

  test("ends the read that waits", async () => {
    const ended = new Pushed();
    const waiting = ended.read();
    ended.finish();
    assertEquals(await waiting, null);
    const broken = new Pushed();
    const failing = broken.read();
    broken.break(RESET);
    assert(await assertRejects(() => failing) === RESET);
  });

  test("gives what arrived before it broke, and its first error", async () => {
    const conn = new Pushed();
    conn.push("a");
    conn.break(RESET);
    conn.break(PIPE);
    conn.push("late");
    assertEquals(await readText(conn), "a");
    assert(await assertRejects(() => conn.read()) === RESET);
    assert(await assertRejects(() => conn.read()) === RESET);
  });

  test("gives nothing once it is closed, whatever lay there", async () => {
    for (const end of [() => {}, (conn: Pushed) => conn.finish()]) {
      const conn = new Pushed();
      conn.push("a");
      end(conn);
      conn.close();
      conn.push("late");
      await rejectsWith("closed", () => conn.read());
      conn.abort();
      await rejectsWith("closed", () => conn.read());
    }
    const conn = new Pushed();
    const reading = conn.read();
    conn.close();
    await rejectsWith("closed", () => reading);
  });

  test("has one reader at a time", async () => {
    const conn = new Pushed();
    const first = readText(conn);
    await assertRejects(() => conn.read(), TypeError, "under way");
    conn.push("a");
    assertEquals(await first, "a");
  });

  test("may be called over while somebody waits and nothing lies there", async () => {
    const conn = new Pushed();
    assertEquals(conn.endInput(), false);
    conn.push("a");
    assertEquals(conn.endInput(), false);
    assertEquals(await readText(conn), "a");
    const reading = conn.read();
    assertEquals([conn.endInput(), await reading], [true, null]);
    conn.push("of somebody who still holds it");
    assertEquals(await conn.read(), null);
  });

  test("loses nothing, keeps the order and bounds what it holds", async () => {
    const piece = fc.integer({ min: 1, max: 40_000 });
    const step = fc.oneof(piece, fc.constantFrom("read", "interrupt"));
    await fc.assert(
      fc.asyncProperty(fc.array(step), async (steps) => {
        const conn = new Pushed();
        let [sent, got, held] = [0, 0, 0];
        const next = () => sent % 251;
        const take = (chunk: Uint8Array) => {
          for (const byte of chunk) assertEquals(byte, got++ % 251);
          held -= chunk.length;
        };
        for (const step of steps) {
          if (typeof step === "number") {
            if (conn.isHeldBack) continue;
            const chunk = new Uint8Array(step).map(() => {
              const byte = next();
              sent++;
              return byte;
            });
            held += step;
            conn.arrived(chunk);
            assertEquals(conn.isHeldBack, held >= MOST_UNREAD);
          } else if (step === "read" && held > 0) {
            take((await conn.read())!);
          } else if (held === 0) {
            const reading = conn.read();
            conn.interrupt(RESET);
            await assertRejects(() => reading);
          } else conn.interrupt(RESET);
        }
        conn.finish();
        for (let chunk; (chunk = await conn.read()) !== null;) take(chunk);
        assertEquals([got, held], [sent, 0]);
        assert(!conn.isHeldBack);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a pipe of what is pushed", () => {
  test("passes on what lay there, what comes, and the end", () => {
    const [source, sink] = [new Pushed(), new Pushed()];
    source.push("a");
    const pump = new NotedPump(source);
    source.pipeTo(sink, pump);
    source.push("b");
    assertEquals([sink.poured, pump.count, pump.end], ["ab", 2, undefined]);
    source.finish();
    assertEquals(pump.end, "over");
  });

  test("has no shorter way to what takes no pushed bytes", async () => {
    const source = new Pushed();
    const sink = { write() {} } as unknown as Pushed;
    assertEquals(source.pipeTo(sink, new NotedPump(source)), false);
    source.push("a");
    assertEquals(await readText(source), "a");
  });

  test("holds its peer back until the sink has taken all", () => {
    const { source, pump } = piped(false);
    source.push("abc");
    assertEquals([source.isHeldBack, source.waiting], [true, true]);
    source.took(1);
    assertEquals([source.isHeldBack, pump.count], [true, 1]);
    source.took(2);
    assertEquals([source.isHeldBack, source.waiting], [false, false]);
    assertEquals([pump.count, pump.end], [3, undefined]);
  });

  test("tells the end when the sink has taken all", () => {
    for (const end of [null, RESET]) {
      const { source, pump } = piped(false);
      source.push("abc");
      if (end === null) source.finish();
      else source.break(end);
      assertEquals([source.end, pump.end], [end, undefined]);
      source.took(3);
      assertEquals([pump.count, pump.end], [3, end ?? "over"]);
    }
  });

  test("counts bytes whose memory the sink frees", () => {
    const { source, sink, pump } = piped();
    sink.pour = (bytes) => {
      const { length } = bytes;
      (bytes.buffer as ArrayBuffer).transfer(0);
      return length;
    };
    source.push("abc");
    assertEquals(pump.count, 3);
  });

  test("to a sink that breaks, at once or later, is told once", async () => {
    for (const isLater of [false, true]) {
      const { source, sink, pump } = piped(!isLater);
      if (!isLater) sink.broken = PIPE;
      source.push("lost");
      source.push("kept");
      if (isLater) source.outletFailed(PIPE);
      assertEquals([pump.end, pump.error], ["sink broken", PIPE]);
      assertEquals(source.waiting, false);
      source.finish();
      assertEquals(await readText(source), "kept");
      assertEquals(await source.read(), null);
    }
  });

  test("that is closed is over, once", () => {
    const { source, pump } = piped(false);
    source.push("abc");
    source.close();
    source.abort();
    assert(pump.end instanceof TcpmuxError && pump.end.code === "closed");
    source.took(3); // what the sink has, it may still write
    assertEquals(pump.count, 0);
  });

  test("that is interrupted reports nothing more, and loses nothing", async () => {
    const { source, sink, pump } = piped(false);
    source.push("held");
    source.push("unread");
    source.interrupt(RESET);
    const reading = readText(source);
    assertEquals(await reading, "unread");
    const next = readText(source);
    assertEquals(source.isHeldBack, true); // the sink still writes
    source.took(4);
    assertEquals(source.isHeldBack, false);
    source.push("next");
    assertEquals(await next, "next");
    assertEquals([pump.count, pump.end, sink.poured], [0, undefined, "held"]);
  });

  test("that is interrupted tells its reader the end, whatever is held", async () => {
    const { source } = piped(false);
    source.push("held");
    source.interrupt(RESET);
    const reading = source.read();
    source.finish();
    assertEquals(await reading, null);
    const other = piped(false);
    other.source.push("held");
    other.source.interrupt(RESET);
    const failing = other.source.read();
    other.source.break(PIPE);
    assert(await assertRejects(() => failing) === PIPE);
  });

  test("that is interrupted goes on for a reader when its sink breaks", async () => {
    const { source, pump } = piped(false);
    source.push("held");
    source.interrupt(RESET);
    const reading = readText(source);
    source.outletFailed(PIPE);
    assertEquals([source.isHeldBack, pump.end], [false, undefined]);
    source.push("next");
    assertEquals(await reading, "next");
  });

  test("that follows an interrupted one counts its own bytes alone", () => {
    for (const end of ["taken", "refused"]) {
      const { source, pump } = piped(false);
      source.push("held");
      source.interrupt(RESET);
      const [sink, second] = [new Pushed(), new NotedPump(source)];
      source.pipeTo(sink, second);
      source.push("next");
      assertEquals(sink.poured, ""); // the first still writes
      if (end === "taken") source.took(4);
      else source.outletFailed(PIPE);
      assertEquals([sink.poured, second.count], ["next", 4]);
      assertEquals([pump.count, pump.end, second.end], [
        0,
        undefined,
        undefined,
      ]);
    }
  });
});
