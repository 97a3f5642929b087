/** What is written on Bun gives its memory back, and nobody else's. */
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { BunConn } from "../src/transport/bun/conn.ts";
import type { BunSocket } from "../src/transport/bun/socket.ts";
import { UNNAMED } from "../src/endpoint.ts";
import { TimerList } from "../src/timers.ts";
import { NotedPump } from "./support/pumps.ts";

const LARGE = 64 * 1024;

/** A socket that takes so many bytes at a time. */
class Socket implements BunSocket {
  data: unknown;
  readonly fd = 3;
  readonly calls: string[] = [];
  most = Infinity;
  taken: number[] = [];

  write(bytes: Uint8Array): number {
    const count = Math.min(this.most, bytes.length);
    this.taken.push(...bytes.subarray(0, Math.min(1, count)));
    return count;
  }
  pause = () => this.#note("pause");
  resume = () => this.#note("resume");
  shutdown = () => this.#note("shutdown");
  end = () => this.#note("end");
  close = () => this.#note("close");
  terminate = () => this.#note("terminate");
  setKeepAlive = () => true;

  #note(call: string): void {
    this.calls.push(call);
  }
}

function connection() {
  const socket = new Socket();
  const conn = new BunConn(
    socket,
    { local: UNNAMED, remote: UNNAMED },
    new TimerList(),
  );
  return { socket, conn };
}

/** A pipe between two of them. */
function piped() {
  const [source, sink] = [connection(), connection()];
  const pump = new NotedPump(source.conn);
  assert(source.conn.pipeTo(sink.conn, pump));
  return { source, sink, pump };
}

describe("the memory of what a pipe has written", () => {
  test("is given back, of a piece that is all of its buffer", () => {
    const { source, pump } = piped();
    const piece = new Uint8Array(LARGE);
    source.conn.arrived(piece);
    assertEquals([piece.length, pump.count], [0, LARGE]);
  });

  test("is kept while later pieces lie behind it, and then given back", () => {
    const { source, pump } = piped();
    const buffer = new Uint8Array(LARGE);
    const first = buffer.subarray(0, 50_000);
    const last = buffer.subarray(50_000);
    source.conn.arrived(first);
    assertEquals([first.length, last.length], [50_000, LARGE - 50_000]);
    source.conn.arrived(last);
    assertEquals([first.length, last.length], [0, 0]);
    assertEquals(pump.count, LARGE);
  });

  test("is kept where it is small, and may be part of a pool", () => {
    const { source } = piped();
    for (const piece of [new Uint8Array(16), Buffer.from("0123456789abcdef")]) {
      source.conn.arrived(piece);
      source.conn.arrived(piece.subarray(8));
      assertEquals(piece.length, 16);
    }
  });

  test("is kept until the last of it is taken", () => {
    const { source, sink, pump } = piped();
    sink.socket.most = 30_000;
    const piece = new Uint8Array(LARGE).map((_, i) => Math.floor(i / 30_000));
    source.conn.arrived(piece);
    assertEquals([piece.length, pump.count], [LARGE, 30_000]);
    sink.conn.drained();
    assertEquals([piece.length, pump.count], [LARGE, 60_000]);
    sink.conn.drained();
    assertEquals([piece.length, pump.count], [0, LARGE]);
    assertEquals(sink.socket.taken, [0, 1, 2]);
  });

  test("is the writer's where somebody writes it himself", async () => {
    const { conn } = connection();
    const piece = new Uint8Array(LARGE);
    await conn.write(piece);
    assertEquals(piece.length, LARGE);
  });
});

describe("a connection on Bun", () => {
  test("lets go of its socket where one of its functions threw", async () => {
    const { conn, socket } = connection();
    const reading = conn.read();
    const mistake = new TypeError("a mistake");
    conn.threw(mistake);
    assert(await assertRejects(() => reading) === mistake);
    assertEquals(socket.calls, ["terminate"]);
    conn.closed(undefined); // the last word
    await assertRejects(() => conn.write(new Uint8Array(1)));
  });

  test("takes an error of the system for what it is, until it is closed", async () => {
    const { conn, socket } = connection();
    const reading = conn.read();
    conn.threw(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    const error = await assertRejects(() => reading, TcpmuxError);
    assertEquals((error as TcpmuxError).code, "connection_reset");
    assertEquals(socket.calls, ["terminate"]);
  });

  test("closes when all is written, and then once", () => {
    const { conn, socket } = connection();
    socket.most = 1;
    conn.write(new Uint8Array(2));
    conn.close();
    conn.close();
    assertEquals(socket.calls, []);
    conn.drained();
    return new Promise((resolve) =>
      setTimeout(() => {
        assertEquals(socket.calls, ["end"]);
        resolve();
      })
    );
  });

  test("fails each write that is under way once, when it breaks", async () => {
    const { conn, socket } = connection();
    socket.most = 0;
    const writes = [1, 2].map((length) =>
      assertRejects(() => conn.write(new Uint8Array(length)), TcpmuxError)
    );
    conn.closed(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    for (const error of await Promise.all(writes)) {
      assertEquals((error as TcpmuxError).code, "connection_reset");
    }
    conn.closed(undefined);
    conn.abort();
    assertEquals(socket.calls, []);
  });
});
