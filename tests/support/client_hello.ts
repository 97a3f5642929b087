/** The first message of a client of TLS, with what a client of ours never sends. */
import { Buffer } from "node:buffer";

const SERVER_NAME = 0;
const ALPN = 16;

interface HelloOptions {
  /** The names of the list, as bytes; by default no list. */
  readonly names?: readonly (string | Uint8Array)[];
  readonly protocols?: readonly string[];
  /** Extensions ahead of these, as type and bytes. */
  readonly extensions?: readonly (readonly [number, Uint8Array])[];
}

/** One record of TLS 1.2, which offers one suite of ciphers. */
export function clientHello(options: HelloOptions): Uint8Array {
  const { names, protocols, extensions = [] } = options;
  const all = [...extensions];
  if (names !== undefined) {
    const list = names.map((name) =>
      Buffer.concat([Buffer.of(0), sized(2, Buffer.from(name))])
    );
    all.push([SERVER_NAME, sized(2, Buffer.concat(list))]);
  }
  if (protocols !== undefined) {
    const list = protocols.map((name) => sized(1, Buffer.from(name, "latin1")));
    all.push([ALPN, sized(2, Buffer.concat(list))]);
  }
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7), // random
    Buffer.of(0), // session
    sized(2, Buffer.of(0xc0, 0x2b)),
    sized(1, Buffer.of(0)),
    sized(
      2,
      Buffer.concat(
        all.map(([type, bytes]) =>
          Buffer.concat([Buffer.of(type >> 8, type & 255), sized(2, bytes)])
        ),
      ),
    ),
  ]);
  const message = Buffer.concat([Buffer.of(1), sized(3, body)]);
  const record = Buffer.concat([Buffer.of(22, 3, 1), sized(2, message)]);
  return new Uint8Array(record);
}

/** Bytes behind their number, which has so many bytes itself. */
function sized(size: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(size);
  head.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([head, bytes]);
}
