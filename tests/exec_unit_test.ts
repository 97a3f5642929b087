/** How the parts that look after a program behave, without a system. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import type { LogFields } from "../src/log.ts";
import { MergedConn } from "../src/services/exec/pipes.ts";
import { OrphanWatch } from "../src/services/exec/orphans.ts";
import { SupervisedProcess } from "../src/services/exec/supervised.ts";
import type { SessionContext } from "../src/services/service.ts";
import type { ExecService } from "../src/table/service.ts";
import { type Expiring, type Timer, TimerList } from "../src/timers.ts";
import type {
  Exit,
  PipedProcess,
  ProcessConn,
} from "../src/transport/transport.ts";
import { bytes, text } from "./support/bytes.ts";

/** What is read, as it is pushed; null ends it, and an error breaks it. */
class Source {
  readonly #pieces: (Uint8Array | null | Error)[] = [];
  #wake: (() => void) | undefined;
  reads = 0;

  push(piece: string | null | Error): void {
    this.#pieces.push(typeof piece === "string" ? bytes(piece) : piece);
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | null> {
    this.reads++;
    while (this.#pieces.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const piece = this.#pieces.shift()!;
    if (piece instanceof Error) throw piece;
    return piece;
  }
}

function stdioOf(source: Source, isOver = () => true) {
  const unix = { transport: "unix", path: "" } as const;
  const written: string[] = [];
  const stdio: ProcessConn = {
    local: unix,
    remote: unix,
    end: undefined,
    waiting: false,
    read: () => source.read(),
    interrupt() {},
    write: (piece) => Promise.resolve(void written.push(text(piece))),
    closeWrite: () => Promise.resolve(void written.push("end")),
    close: () => void written.push("close"),
    abort: () => void written.push("abort"),
    isAlive: () => Promise.resolve(true),
    endInput: () => isOver(),
  };
  return { stdio, written };
}

async function next(conn: ProcessConn): Promise<string | null> {
  const piece = await conn.read();
  return piece === null ? null : text(piece);
}

/** All that is ready to happen has happened. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("standard output and error as one", () => {
  function merged(isOver?: () => boolean) {
    const out = new Source();
    const err = new Source();
    const { stdio, written } = stdioOf(out, isOver);
    return { out, err, written, conn: new MergedConn(stdio, () => err.read()) };
  }

  test("comes as it was written, and ends when both have ended", async () => {
    const { out, err, conn } = merged();
    for (const [source, piece] of [[out, "a"], [err, "b"], [out, "c"]]) {
      const reading = next(conn);
      (source as Source).push(piece as string);
      assertEquals(await reading, piece);
    }
    out.push(null);
    const reading = next(conn);
    await settled();
    assertEquals(conn.end, undefined);
    err.push("d");
    assertEquals(await reading, "d");
    err.push(null);
    assertEquals([await next(conn), await next(conn)], [null, null]);
    assertEquals(conn.end, null);
  });

  test("is read no faster than it is taken", async () => {
    const { out, err, conn } = merged();
    for (const piece of ["1", "2", "3"]) out.push(piece), err.push(piece);
    await settled();
    assertEquals([out.reads, err.reads], [1, 1]);
    assertEquals([await next(conn), await next(conn)], ["1", "1"]);
    await settled();
    assertEquals([out.reads, err.reads], [2, 2]);
  });

  test("loses nothing when a read is interrupted", async () => {
    const { out, conn } = merged();
    const reading = next(conn);
    await assertRejects(() => next(conn), TypeError);
    const why = new Error("enough");
    conn.interrupt(why);
    assert(await reading.catch((error) => error) === why);
    out.push("still here");
    assertEquals(await next(conn), "still here");
  });

  test("breaks where the output does, behind what came before", async () => {
    const { out, err, conn } = merged();
    err.push("before");
    await settled();
    const why = new TcpmuxError("connection_reset", "broken");
    out.push(why);
    await settled();
    assert(conn.end === why);
    assertEquals(await next(conn), "before");
    assert(await next(conn).catch((error) => error) === why);
  });

  test("may be called over once all has been taken", async () => {
    let isOver = false;
    const { err, conn } = merged(() => isOver);
    err.push("last");
    await settled();
    assertEquals(conn.endInput(), false); // it is not read yet
    assertEquals(await next(conn), "last");
    isOver = true;
    assertEquals(conn.endInput(), false); // it is still being written
    const reading = next(conn);
    isOver = false;
    assertEquals(conn.endInput(), false); // bytes wait in the output
    isOver = true;
    assertEquals(conn.endInput(), true);
    assertEquals(await reading, null);
    err.push("an orphan's");
    assertEquals([await next(conn), conn.endInput()], [null, true]);
  });

  test("is let go while only standard error is awaited", async () => {
    const { out, conn, written } = merged();
    await conn.write(bytes("x"));
    await conn.closeWrite();
    out.push(null);
    const reading = next(conn);
    await settled();
    conn.abort();
    conn.close();
    await assertRejects(() => reading, TcpmuxError, "closed on this side");
    await assertRejects(() => next(conn), TcpmuxError, "closed on this side");
    assertEquals(written, ["x", "end", "abort", "close"]);
  });
});

/** Timers that end when the test says. */
class ManualTimers extends TimerList {
  readonly waiting: { milliseconds: number; expiring: Expiring }[] = [];

  override after(milliseconds: number, expiring: Expiring): Timer {
    const timer = { milliseconds, expiring };
    this.waiting.push(timer);
    const cancel = () => {
      const at = this.waiting.indexOf(timer);
      if (at >= 0) this.waiting.splice(at, 1);
      return at >= 0;
    };
    return { cancel };
  }

  /** Ends all that wait now; @returns their lengths */
  async pass(): Promise<number[]> {
    const over = this.waiting.splice(0);
    for (const { expiring } of over) {
      if (typeof expiring === "function") expiring();
      else expiring.expired();
    }
    await settled();
    return over.map(({ milliseconds }) => milliseconds);
  }
}

/** A program, and who is left in its group after each signal. */
function program(endsBy: readonly string[] = ["SIGTERM"]) {
  const timers = new ManualTimers();
  const logged: [string, LogFields | undefined][] = [];
  const signals: (string | number)[] = [];
  const { stdio } = stdioOf(new Source());
  let exit!: (exit: Exit) => void;
  const exited = new Promise<Exit>((resolve) => exit = resolve);
  const state = { bytesOut: 0, isThere: true, stderrClosed: false };
  const process: PipedProcess = {
    pid: 1,
    stdio,
    exited,
    readStderr: () => new Promise(() => {}), // an orphan holds it
    closeStderr: () => state.stderrClosed = true,
    signalGroup(signal) {
      if (!state.isThere) return false;
      signals.push(signal);
      if (endsBy.includes(String(signal))) {
        state.isThere = false;
        exit({ code: null, signal: String(signal) });
      }
      return true;
    },
  };
  const context = {
    id: 1,
    server: {
      transport: { timers },
      leavers: { ended() {} },
      log: (_: string, message: string, fields?: LogFields) =>
        logged.push([message, fields]),
    },
    get bytesOut() {
      return state.bytesOut;
    },
  } as unknown as SessionContext;
  const service = { name: "x", killGrace: 20 } as ExecService;
  const supervised = new SupervisedProcess(process, service, context);
  return {
    ...{ context, exit, logged, process, signals, state, supervised, timers },
  };
}

describe("a supervised process", () => {
  test("has all time to exit, and then its group is ended", async () => {
    const { exit, signals, state, supervised } = program();
    let note: string | undefined;
    const finishing = supervised.finish().then((text) => note = text);
    await settled();
    assertEquals([note, signals], [undefined, []]);
    exit({ code: 3, signal: null });
    await finishing;
    assertEquals(note, "the program exited with status 3");
    assertEquals([signals, state.stderrClosed], [["SIGTERM"], true]);
  });

  test("has nothing to note when all went well", async () => {
    const { exit, supervised } = program();
    exit({ code: 0, signal: null });
    assertEquals(await supervised.finish(), "");
  });

  test("is ended when it is aborted, before and while it is awaited", async () => {
    for (const isAwaited of [false, true]) {
      const { signals, state, supervised } = program();
      if (!isAwaited) supervised.abort();
      await settled();
      const finishing = supervised.finish();
      supervised.abort();
      assertEquals(await finishing, "the server ended the program");
      assertEquals([signals, state.stderrClosed], [["SIGTERM"], true]);
    }
  });

  test("is killed when the grace is over, and signalled no more", async () => {
    const { signals, supervised } = program(["SIGKILL"]);
    supervised.abort();
    assertEquals(await supervised.finish(), "the server ended the program");
    assertEquals([signals[0], signals.at(-1)], ["SIGTERM", "SIGKILL"]);
    const count = signals.length;
    supervised.abort();
    await supervised.end();
    assertEquals(signals.length, count);
  });

  test("is let go though nothing ends it and its standard error", async () => {
    const { logged, state, supervised, timers } = program([]);
    supervised.logStderr();
    supervised.abort();
    const finishing = supervised.finish();
    while (timers.waiting.length === 0) await settled();
    assertEquals(await timers.pass(), [5_000]);
    assertEquals(await timers.pass(), [500]);
    assertEquals(await finishing, "the server ended the program");
    assertEquals(
      logged.map(([message, fields]) => [message, fields?.["text"]]),
      [
        ["cannot end a program", "it still runs after SIGKILL"],
      ],
    );
    assertEquals(state.stderrClosed, true);
  });
});

describe("orphans who hold a program's output", () => {
  function watched() {
    const parts = program();
    const output = { calls: 0, isOver: true };
    const { stdio } = stdioOf(new Source(), () => {
      output.calls++;
      return output.isOver;
    });
    const watch = new OrphanWatch(parts.process, stdio, parts.context, 40);
    return { ...parts, output, watch };
  }
  const exit: Exit = { code: 0, signal: null };

  test("get the grace, and are waited for while something comes", async () => {
    const parts = watched();
    await settled();
    assertEquals(parts.timers.waiting, []);
    parts.exit(exit);
    await settled();
    assertEquals(await parts.timers.pass(), [40]);
    for (let round = 0; round < 3; round++) {
      parts.state.bytesOut += 10;
      assertEquals(await parts.timers.pass(), [250]);
    }
    assertEquals(parts.output.calls, 0);
    assertEquals(await parts.timers.pass(), [250]);
    assertEquals([parts.output.calls, parts.timers.waiting], [1, []]);
  });

  test("are waited for while a slow client has not taken all", async () => {
    const parts = watched();
    parts.output.isOver = false;
    parts.exit(exit);
    await settled();
    for (let round = 0; round < 5; round++) await parts.timers.pass();
    assertEquals(parts.output.calls, 4);
    parts.output.isOver = true;
    await parts.timers.pass();
    assertEquals(parts.timers.waiting, []);
  });

  test("may not go on for ever with output of their own", async () => {
    const parts = watched();
    parts.exit(exit);
    await settled();
    for (let round = 0; parts.timers.waiting.length > 0; round++) {
      parts.state.bytesOut += 100_000;
      await parts.timers.pass();
      assert(round < 20);
    }
    assertEquals(parts.state.bytesOut, 1_100_000);
  });

  test("are nobody's concern once it is stopped", async () => {
    const before = watched();
    before.watch.stop();
    before.exit(exit);
    await settled();
    assertEquals(before.timers.waiting, []);
    const after = watched();
    after.exit(exit);
    await settled();
    after.watch.stop();
    assertEquals(after.timers.waiting, []);
  });
});
