/** The first message of clients of TLS, in any pieces. */
import type { EventEmitter } from "node:events";
import { Duplex } from "node:stream";
import { connect } from "node:tls";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { HelloReader } from "../src/handshake/client_hello.ts";

/** What this runtime's own TLS sends first. */
function helloFor(servername?: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const wire = new Duplex({
      read() {},
      write(bytes, _, done) {
        resolve(new Uint8Array(bytes));
        done();
      },
    });
    const socket: EventEmitter = connect({
      socket: wire,
      ...(servername === undefined ? {} : { servername }),
    });
    socket.on("error", reject);
  });
}

/** A message cut into records of so many bytes. */
function inRecords(hello: Uint8Array, size: number): Uint8Array {
  const message = hello.subarray(5);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    pieces.push(
      new Uint8Array([22, 3, 1, piece.length >> 8, piece.length & 255]),
    );
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

describe("the first message of a client of TLS", () => {
  test("has the name of the server", async () => {
    const hello = await helloFor("Mux.Example");
    const read = new HelloReader().push(hello);
    assert(read.kind === "hello");
    assertEquals([read.sni, read.bytes], ["mux.example", hello]);
  });

  test("is read alike however it is cut", async () => {
    const hello = await helloFor("mux.example");
    for (const whole of [hello, inRecords(hello, 100), inRecords(hello, 300)]) {
      for (const size of [1, 7, 100]) {
        const reader = new HelloReader();
        let read = reader.push(whole.subarray(0, 0));
        for (let at = 0; at < whole.length; at += size) {
          assertEquals(read.kind, "more");
          read = reader.push(whole.subarray(at, at + size));
        }
        assert(read.kind === "hello");
        assertEquals([read.sni, read.bytes], ["mux.example", whole]);
      }
    }
  });

  test("is asked for no longer where it is no TLS", () => {
    for (
      const bytes of [
        [0x68],
        [22, 2],
        [22, 3, 1, 0, 0],
        [22, 3, 1, 0xff, 0xff],
        [22, 3, 1, 0, 1, 2],
      ]
    ) {
      const reader = new HelloReader();
      assertEquals(reader.push(new Uint8Array(bytes)).kind, "plain");
    }
  });

  test("has no more than 32 KiB", () => {
    const record = new Uint8Array(5 + 16_384);
    record.set([22, 3, 1, 0x40, 0, 1, 0, 0x80, 0]);
    const reader = new HelloReader();
    assertEquals(reader.push(record).kind, "more");
    assertEquals(reader.push(record).kind, "more");
    record[8] = 1;
    assertEquals(new HelloReader().push(record).kind, "plain");
  });

  test("is cut into no more than 16 records", () => {
    const reader = new HelloReader();
    for (let i = 0; i < 15; i++) {
      const record = Uint8Array.of(22, 3, 1, 0, 1, i === 1 ? 0 : 1);
      assertEquals(reader.push(record).kind, "more");
    }
    assertEquals(reader.push(Uint8Array.of(22, 3, 1, 0, 1, 0)).kind, "plain");
  });

  test("with any byte changed is read, or refused, and never throws", async () => {
    const hello = await helloFor("mux.example");
    for (let at = 0; at < hello.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = hello.slice();
        changed[at] = value;
        const read = new HelloReader().push(changed);
        if (read.kind === "hello" && read.sni !== undefined) {
          assert(/^[a-z0-9._-]+$/.test(read.sni), read.sni);
        }
      }
    }
  });
});
