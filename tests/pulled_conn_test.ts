import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { UNNAMED } from "../src/endpoint.ts";
import { PulledConn } from "../src/transport/pulled_conn.ts";
import type { Conn, Pump } from "../src/transport/transport.ts";
import { bytes, text } from "./support/bytes.ts";
import { NotedPump } from "./support/pumps.ts";
import { rejectsWith } from "./support/rejects.ts";

interface Question {
  answer(bytes: string | null): void;
  fail(error: Error): void;
}

/** A connection of which the test is the runtime. */
class Pulled extends PulledConn {
  readonly local = UNNAMED;
  readonly remote = UNNAMED;
  /** What the runtime was asked and has not answered yet. */
  readonly questions: Question[] = [];
  asked = 0;

  protected pull(): Promise<Uint8Array | null> {
    this.asked++;
    return new Promise((resolve, reject) =>
      this.questions.push({
        answer: (given) => resolve(given === null ? null : bytes(given)),
        fail: reject,
      })
    );
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    if (!this.beginPipe(pump)) return false;
    this.#pipe(sink, pump);
    return true;
  }

  async #pipe(sink: Conn, pump: Pump): Promise<void> {
    for (;;) {
      let chunk: Uint8Array | null;
      try {
        chunk = await this.pull();
      } catch (error) {
        return this.endPipe(pump, error as Error);
      }
      if (chunk === null) return this.endPipe(pump, null);
      if (!this.isPiping(pump)) return this.answer(chunk);
      this.waiting = true;
      try {
        await sink.write(chunk);
      } catch (error) {
        return this.breakPipe(pump, error as Error);
      }
      this.waiting = false;
      if (!this.isPiping(pump)) return this.leavePipe();
      pump.moved(this, chunk.length);
    }
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
  endInput(): boolean {
    return this.endIfAwaited();
  }

  /** Answers the oldest question. */
  async give(answer: string | null | Error): Promise<void> {
    const question = this.questions.shift()!;
    if (answer instanceof Error) question.fail(answer);
    else question.answer(answer);
    await settled();
  }
}

/** A sink whose writes end when the test says so. */
class Sink extends Pulled {
  written = "";
  end_: { resolve(): void; reject(error: Error): void } | undefined;

  override write = (bytes: Uint8Array = new Uint8Array(0)): Promise<void> => {
    this.written += text(bytes);
    return new Promise((resolve, reject) => this.end_ = { resolve, reject });
  };
}

/** Lets all that is settled be told. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function readText(conn: Pulled): Promise<string | null> {
  const chunk = await conn.read();
  return chunk === null ? null : text(chunk);
}

function piped() {
  const [source, sink] = [new Pulled(), new Sink()];
  const pump = new NotedPump(source);
  assert(source.pipeTo(sink, pump));
  return { source, sink, pump };
}

const ENOUGH = new Error("enough");
const RESET = new TcpmuxError("connection_reset", "reset");
const PIPE = new TcpmuxError("broken_pipe", "broken");

describe("a connection whose runtime is asked", () => {
  test("asks when somebody reads, and only then", async () => {
    const conn = new Pulled();
    assertEquals(conn.asked, 0);
    const reading = readText(conn);
    await assertRejects(() => conn.read(), TypeError, "under way");
    await conn.give("a");
    assertEquals([await reading, conn.asked], ["a", 1]);
  });

  test("keeps what an interrupted read had asked for", async () => {
    const conn = new Pulled();
    const first = conn.read();
    conn.interrupt(ENOUGH);
    assert(await assertRejects(() => first) === ENOUGH);
    await conn.give("late");
    assertEquals([await readText(conn), conn.asked], ["late", 1]);
    const second = conn.read();
    conn.interrupt(ENOUGH);
    await assertRejects(() => second);
    const third = readText(conn); // waits for the same answer
    await conn.give("b");
    assertEquals([await third, conn.asked], ["b", 2]);
  });

  test("stays at its end, or at its error", async () => {
    for (const end of [null, RESET]) {
      const conn = new Pulled();
      const reading = conn.read().catch((error) => error);
      await conn.give(end);
      assertEquals([await reading, conn.end], [end, end]);
      assertEquals(await conn.read().catch((error) => error), end);
      assertEquals(conn.asked, 1);
    }
  });

  test("knows the end that an interrupted read had asked for", async () => {
    const conn = new Pulled();
    const reading = conn.read();
    conn.interrupt(ENOUGH);
    await assertRejects(() => reading);
    await conn.give(null);
    assertEquals([conn.end, await conn.read()], [null, null]);
  });

  test("gives nothing once it is closed, whatever comes", async () => {
    const conn = new Pulled();
    const reading = rejectsWith("closed", () => conn.read());
    conn.close();
    conn.abort();
    await reading;
    await conn.give("late");
    await rejectsWith("closed", () => conn.read());
    const ended = new Pulled();
    const last = ended.read();
    await ended.give(null);
    assertEquals(await last, null);
    ended.close();
    await rejectsWith("closed", () => ended.read());
    const kept = new Pulled();
    const interrupted = kept.read().catch(() => {});
    kept.interrupt(ENOUGH);
    await interrupted;
    await kept.give("kept");
    kept.close();
    await rejectsWith("closed", () => kept.read());
  });

  test("may be called over while somebody waits", async () => {
    const conn = new Pulled();
    assertEquals(conn.endInput(), false);
    const reading = conn.read();
    assertEquals([conn.endInput(), await reading], [true, null]);
    await conn.give("of somebody who still holds it");
    assertEquals(await conn.read(), null);
  });
});

describe("a pipe of what is asked for", () => {
  test("passes on what comes, and the end, once", async () => {
    const { source, sink, pump } = piped();
    await assertRejects(() => source.read(), TypeError, "under way");
    await source.give("ab");
    assertEquals([source.waiting, pump.count], [true, 0]);
    sink.end_!.resolve();
    await settled();
    assertEquals([source.waiting, pump.count, sink.written], [false, 2, "ab"]);
    await source.give(null);
    assertEquals([pump.end, source.end], ["over", null]);
    assertEquals(await source.read(), null);
  });

  test("to a sink that breaks is told once, and can be read on", async () => {
    const { source, sink, pump } = piped();
    await source.give("lost");
    sink.end_!.reject(PIPE);
    await settled();
    assertEquals([pump.end, pump.error], ["sink broken", PIPE]);
    const reading = readText(source);
    await source.give("next");
    assertEquals(await reading, "next");
  });

  test("that breaks or is closed is told once", async () => {
    const { source, pump } = piped();
    await source.give(RESET);
    assert(pump.end === RESET);
    const other = piped();
    other.source.close();
    other.source.abort();
    await other.source.give("late");
    const { end } = other.pump;
    assert(end instanceof TcpmuxError && end.code === "closed");
  });

  test("that is interrupted while it waits keeps what comes", async () => {
    const { source, sink, pump } = piped();
    source.interrupt(ENOUGH);
    await source.give("kept");
    assertEquals([await readText(source), source.asked], ["kept", 1]);
    assertEquals([pump.end, pump.count, sink.written], [undefined, 0, ""]);
  });

  test("that is interrupted while it writes reads on behind that", async () => {
    for (const how of ["resolve", "reject"] as const) {
      const { source, sink, pump } = piped();
      await source.give("held");
      source.interrupt(ENOUGH);
      const reading = readText(source);
      await settled();
      assertEquals(source.asked, 1);
      sink.end_![how](PIPE);
      await settled();
      await source.give("next");
      assertEquals(await reading, "next");
      assertEquals([pump.end, pump.count], [undefined, 0]);
    }
  });

  test("that is interrupted tells the end to who reads next", async () => {
    const { source, pump } = piped();
    source.interrupt(ENOUGH);
    const reading = source.read();
    await source.give(null);
    assertEquals([await reading, pump.end], [null, undefined]);
  });

  test("does not begin where an interrupted read left something", async () => {
    const source = new Pulled();
    const reading = source.read().catch(() => {});
    source.interrupt(ENOUGH);
    await reading;
    const pump = new NotedPump(source);
    assertEquals(source.pipeTo(new Sink(), pump), false);
    await source.give("kept");
    assertEquals(source.pipeTo(new Sink(), pump), false);
    assertEquals(await readText(source), "kept");
    assertEquals(source.pipeTo(new Sink(), pump), true);
  });
});
