/** TLS that is cut off, in and behind every record that a client sends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { selfSigned } from "./support/certificates.ts";
import { type Cut, type Passed, withCutter } from "./support/cut_records.ts";
import { findProgram, needs } from "./support/needs.ts";
import { run } from "./support/run.ts";
import {
  type LogLine,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { withTap } from "./support/tapped.ts";
import { tlsConnect } from "./support/tls_transport.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-cut-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const { cert, key } = findProgram("openssl") === undefined
  ? { cert: "", key: "" }
  : await selfSigned(folder, "server");

function withTls(
  handshakeTimeout: string,
  use: (server: RunningServer) => Promise<void>,
): Promise<void> {
  return withServer(
    `[server]
handshake_timeout = "${handshakeTimeout}"
[server.tls]
cert = "${cert}"
key = "${key}"
[services.echo]
builtin = "echo"
[services.text]
text = "well"
`,
    use,
    { args: ["--listen", "tls://127.0.0.1:0"] },
  );
}

const REQUEST = "echo\r\n";
const DATA = "0123456789abcdef".repeat(1500);

/** A version, its words, and what a record of its has beside the data. */
interface Version {
  readonly words: readonly string[];
  readonly overhead: number;
  /** Of the client's, those of the handshake. */
  readonly handshake: number;
}

const VERSIONS: Readonly<Record<string, Version>> = {
  "1.2": {
    words: ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
    overhead: 8 + 16,
    handshake: 4, // ClientHello, ClientKeyExchange, ChangeCipherSpec, Finished
  },
  "1.3": {
    words: ["-tls1_3"],
    overhead: 1 + 16,
    handshake: 3, // ClientHello, ChangeCipherSpec, Finished
  },
};

interface Outcome {
  readonly cut: Cut;
  readonly passed: readonly Passed[];
  readonly heard: string;
  readonly record: () => Promise<LogLine>;
}

/** Cuts in the midst of a record's head, and behind it. */
const BYTES = [0, 3, 9];

/** One connection after another, each of which gets one record further. */
async function* cutEverywhere(
  server: RunningServer,
  way: Cut["way"],
  { words, overhead, handshake }: Version,
  most = Infinity,
): AsyncGenerator<Outcome> {
  for (let records = 0; records <= most; records++) {
    for (const bytes of BYTES) {
      const cut = { way, records, bytes };
      const before = recordsOf(server).length;
      let heard = "";
      const passed = await withCutter(server.port, cut, async (port) => {
        const at = `127.0.0.1:${port}`;
        const client = ["openssl", "s_client", "-quiet", "-connect", at];
        const { stdout } = await run([...client, ...words], {
          input: REQUEST + DATA,
        });
        heard = String(stdout);
      });
      const record = () =>
        until(
          `there is a record of ${JSON.stringify(cut)}`,
          () => recordsOf(server)[before],
        );
      yield { cut, passed, heard, record };
      const sent = passed.slice(handshake)
        .reduce((sum, { length }) => sum + length - overhead, 0);
      if (sent === REQUEST.length + DATA.length) return;
    }
  }
}

/** The types of the records, and the lengths of what they hold. */
function recordsIn(bytes: Uint8Array): Passed[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Passed[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint16(at + 3);
    found.push({ type: bytes[at]!, length });
    at += 5 + length;
  }
  return found;
}

/** An alert that is encrypted: two bytes, their type and their tag. */
const ALERT = { type: 23, length: 2 + 1 + 16 };

/** A client in good faith is served, and has the last record. */
async function healthy(server: RunningServer): Promise<void> {
  const conn = await tlsConnect(server.port);
  await conn.write(bytes(`${REQUEST}well`));
  await conn.closeWrite();
  assertEquals(await readAll(conn), "+Go\r\nwell");
  conn.close();
  await server.logged("connection", (line) => line.bytes_in === 4);
}

const recordsOf = ({ log }: RunningServer) =>
  log.filter(({ message }) => message === "connection");

describe("TLS that is cut off", needs("openssl", "perl"), () => {
  for (const [name, version] of Object.entries(VERSIONS)) {
    const { handshake, overhead } = version;

    test(`${name} without close_notify ends with all that came before`, () =>
      withTls("20s", async (server) => {
        let most = 0;
        for await (
          const one of cutEverywhere(server, "end", version)
        ) {
          const { cut, passed, heard } = one;
          const record = await one.record();
          const what = JSON.stringify({ cut, record });
          const data = passed.slice(handshake);
          if (passed.length < handshake) {
            const code = passed.length > 0
              ? "tls_error"
              : cut.bytes > 0
              ? "eof"
              : "silence";
            assertEquals([record.code, heard], [code, ""], what);
            continue;
          }
          if (data.length === 0) {
            assertEquals([record.code, heard], ["silence", ""], what);
            continue;
          }
          const count = data.reduce((sum, one) => sum + one.length, 0) -
            data.length * overhead - REQUEST.length;
          assertEquals([record.code, record.bytes_in], ["ok", count], what);
          assert(heard === `+Go\r\n${DATA.slice(0, count)}`, what);
          most = count;
        }
        assertEquals(most, DATA.length);
      }));

    test(`${name} by a reset is one record, wherever it comes`, () =>
      withTls("20s", async (server) => {
        let count = 0;
        for await (const _ of cutEverywhere(server, "reset", version)) count++;
        await healthy(server);
        // One that was reset before it was accepted was nobody's.
        const records = recordsOf(server).slice(0, -1);
        assert(records.length <= count, `${records.length} of ${count}`);
        assert(records.length > handshake, `${records.length} of ${count}`);
        for (const record of records) {
          const codes = ["aborted", "tls_error", "silence", "eof"];
          assert(codes.includes(String(record.code)), JSON.stringify(record));
        }
      }));

    test(`${name} in its handshake by silence is waited for so long only`, () =>
      withTls("300ms", async (server) => {
        for await (
          const one of cutEverywhere(server, "stall", version, handshake)
        ) {
          const { cut, passed } = one;
          const record = await one.record();
          const what = JSON.stringify({ cut, record });
          assertEquals(record.code, "timeout", what);
          const phase = passed.length < handshake
            ? /TLS handshake/
            : /service line/;
          assertMatch(String(record.reason), phase, what);
        }
      }));
  }
});

describe("TLS that ends in good order", needs("openssl"), () => {
  for (const service of ["echo", "text"]) {
    test(`is closed by close_notify to who has ended before, at ${service}`, () =>
      withTls("20s", async (server) => {
        const sent = await withTap(server.port, async (port) => {
          const conn = await tlsConnect(port, { minVersion: "TLSv1.3" });
          await conn.write(bytes(`${service}\r\n`));
          await conn.closeWrite();
          assert((await readAll(conn)).startsWith("+Go\r\n"));
          conn.close();
        });
        assertEquals(recordsIn(sent).at(-1), ALERT);
      }));
  }
});
