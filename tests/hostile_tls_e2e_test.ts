/** Clients that abuse TLS: before it is agreed on, and within it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { selfSigned } from "./support/certificates.ts";
import { freePort, withDaemon } from "./support/daemon.ts";
import { firstMessage } from "./support/first_message.ts";
import { assail, type Crowd, whileTheyWait } from "./support/hostile.ts";
import { findProgram, needs, needsFiles } from "./support/needs.ts";
import { mustRun, run } from "./support/run.ts";
import type { RunningServer } from "./support/server.ts";
import { tlsConnect } from "./support/tls_transport.ts";
import {
  HEALTHY,
  healthy,
  LEAST_ATTACKS,
  ROOM,
  unharmed,
  withVictim,
} from "./support/unharmed.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-hostile-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasOpenssl = findProgram("openssl") !== undefined;
const { cert, key } = hasOpenssl
  ? await selfSigned(folder, "server")
  : { cert: "", key: "" };
const hello = hasOpenssl ? await firstMessage() : new Uint8Array(0);

/** In the form that `send:` takes. */
const HELLO = escaped(hello);

function escaped(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString("hex");
  return digits.replaceAll(/../g, "\\x$&");
}

/** A server with a port for TLS, beside the one without. */
function withTls(
  keys: string,
  use: (server: RunningServer, port: number) => Promise<void>,
): Promise<void> {
  const table = `[server]
${keys}
[server.tls]
cert = "${cert}"
key = "${key}"
[services.echo]
builtin = "echo"
${HEALTHY}`;
  return withVictim(table, async (server) => {
    const port = Number(/:(\d+)$/.exec(await server.serving())![1]);
    await use(server, port);
  }, { args: ["--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0"] });
}

/** Runs an attack again and again on the port for TLS. */
function unharmedBy(
  keys: string,
  attack: (port: number, server: RunningServer) => Promise<unknown>,
): Promise<void> {
  return withTls(keys, (server, port) =>
    unharmed(server, async () => {
      await attack(port, server);
      await securely(port);
    }));
}

/** A client of TLS in good faith is served. */
async function securely(port: number): Promise<void> {
  await until("a client of TLS in good faith is served", async () => {
    const conn = await tlsConnect(port).catch(() => undefined);
    if (conn === undefined) return false;
    await conn.write(bytes("healthy\r\n"));
    const answer = await readAll(conn).catch(() => "");
    conn.close();
    return answer === "+Go\r\nwell";
  });
}

/** In bytes, of the whole server for each handshake; a third of it is usual. */
const MOST_MEMORY = 200 * 1024;

function residentMemory({ pid }: RunningServer): number {
  return 4096 *
    Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
}

/** For the swarm; clients in good faith come from 127.0.0.1. */
const SWARM: Crowd = { count: 5000, from: ["127.0.0.9"] };
const enough = { ...needs("openssl", "perl"), ...needsFiles(15_000) };

describe("5,000 handshakes at a time that stop in the midst", enough, () => {
  // On Deno, each keeps its memory for as long as it might have taken.
  test("are held, and others are served, until they are reset", () =>
    unharmedBy(`handshake_timeout = "5s"${ROOM}`, async (port, server) => {
      const steps = [`send:${HELLO}`, "wait", "reset"];
      await whileTheyWait(port, SWARM, steps, async () => {
        await healthy(server.port);
        await securely(port);
        const memory = residentMemory(server) / SWARM.count!;
        assert(memory < MOST_MEMORY, `${memory} bytes for each`);
      });
    }));

  test("are let go after handshake_timeout, though they stay", () =>
    unharmedBy(
      `handshake_timeout = "1s"${ROOM}`,
      (port) => assail(port, SWARM, `send:${HELLO}`, "all"),
    ));

  test("are refused beyond the room for handshakes, and others served", () =>
    unharmedBy(`handshake_timeout = "2s"`, async (port, server) => {
      const steps = [`send:${HELLO}`, "wait", "all"];
      await whileTheyWait(port, SWARM, steps, async () => {
        await healthy(server.port);
        await securely(port);
      });
    }));
});

describe("a handshake of TLS", needs("openssl", "perl"), () => {
  test("with any bit of its first message changed harms nobody", () => {
    // Each attack changes its share of the bits.
    const shares = LEAST_ATTACKS;
    const count = Math.ceil(8 * hello.length / shares);
    let share = 0;
    return unharmedBy(`handshake_timeout = "2s"${ROOM}`, async (port) => {
      const steps = [`flip:${share++ % shares}:${shares}:${HELLO}`, "end"];
      await assail(port, { count, atATime: 200 }, ...steps, "all");
    });
  });

  // Records: type, version, length. Each is bad behind a ClientHello.
  const floods: [string, string][] = [
    ["warnings", "times:100000:\\x15\\x03\\x03\\x00\\x02\\x01\\x5a"],
    ["changes of the cipher", "times:100000:\\x14\\x03\\x03\\x00\\x01\\x01"],
    ["messages of no bytes", "times:100000:\\x16\\x03\\x03\\x00\\x00"],
    ["data of no bytes", "times:100000:\\x17\\x03\\x03\\x00\\x00"],
    ["first messages", `times:2000:${HELLO}`],
    ["a record that is too large", "times:20000:\\x17\\x03\\x03\\xff\\xff"],
    ["garbage", "times:10000:\\xc3\\x9f\\x00\\x7f"],
    ["a fatal alert", "send:\\x15\\x03\\x03\\x00\\x02\\x02\\x28"],
  ];
  test("that goes on with a flood is ended at once", () =>
    withTls('handshake_timeout = "1h"', async (server, port) => {
      for (const [what, flood] of floods) {
        const before = records(server).length;
        await assail(port, { count: 10 }, `send:${HELLO}`, flood, "all");
        await until(
          () => `${what} are recorded: ${server.log.at(-1)!.message}`,
          () => records(server).length === before + 10,
        );
        for (const { code, reason } of records(server).slice(before)) {
          assertEquals(code, "tls_error", `${what}: ${reason}`);
        }
      }
      await securely(port);
    }));

  // What comes before TLS itself is asked.
  const openings: [string, string][] = [
    ["a record of no bytes", "\\x16\\x03\\x01\\x00\\x00"],
    ["one of more than 16 KiB", "\\x16\\x03\\x01\\x40\\x01\\x01"],
    ["SSL 2.0", "\\x80\\x2e\\x01\\x00\\x02\\x00\\x15\\x00\\x00\\x00\\x10"],
    ["an alert", "\\x15\\x03\\x01\\x00\\x02\\x02\\x28"],
    ["a ServerHello", "\\x16\\x03\\x01\\x00\\x04\\x02\\x00\\x00\\x00"],
    ["HTTP", "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.2\\r\\n"],
    ["a header of a proxy", "PROXY TCP4 192.0.2.1 192.0.2.2 1 1\\r\\n"],
  ];
  test("that is none is told so in plain text", () =>
    withTls('handshake_timeout = "1h"', async (server, port) => {
      for (const [what, opening] of openings) {
        const heard = await assail(
          port,
          { count: 5 },
          `send:${opening}`,
          "all",
        );
        assertEquals([...heard], [["-TLS required here\r\n", 5]], what);
      }
      const count = 5 * openings.length;
      await until("all are recorded", () => records(server).length === count);
      for (const { code } of records(server)) assertEquals(code, "tls_error");
    }));

  test("of 64 KiB in one piece, or byte by byte, ends or is served", () =>
    unharmedBy(`handshake_timeout = "5s"${ROOM}`, async (port) => {
      // The length of the whole, and then records of 16 KiB.
      const record = "\\x16\\x03\\x01\\x40\\x00";
      const first = `send:${record}\\x01\\x01\\x00\\x00\\x03\\x03`;
      const more = `times:16378:a`;
      const next = [`send:${record}`, "times:16384:a"];
      const whole = [first, more, ...next, ...next, ...next];
      await assail(port, { count: 20 }, ...whole, "end", "all");
      await assail(port, { count: 20 }, `slowly:1:${HELLO}`, "end", "all");
    }));
});

const records = ({ log }: RunningServer) =>
  log.filter(({ message }) => message === "connection");

describe("behind the handshake of TLS", needs("openssl", "perl"), () => {
  /** What openssl(1) takes for a command, so many times, each by itself. */
  async function commanding(port: number, letter: string, version: string) {
    const type = `$| = 1; print "echo\\n"; for (1 .. 300) { ` +
      `select undef, undef, undef, .003; print "${letter}\\n" }`;
    const client = `openssl s_client -connect 127.0.0.1:${port} ${version}`;
    return await run(["sh", "-c", `perl -e '${type}' | ${client}`]);
  }

  test("renegotiation is refused", () =>
    withTls("", async (server, port) => {
      await commanding(port, "R", "-tls1_2");
      const record = await server.record("echo");
      assertEquals(record.code, "aborted");
      assertMatch(String(record.reason), /^TLS has failed: .*\w/);
      await securely(port);
    }));

  test("new keys without end harm nobody", () =>
    unharmedBy("", (port) => commanding(port, "K", "-tls1_3")));

  test("a session of another server is not resumed", () =>
    withTls("", async (server, port) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const session = await foreignSession(version);
        const { stdout } = await run([
          ...["openssl", "s_client", "-connect", `127.0.0.1:${port}`],
          ...[version, "-sess_in", session],
        ], { input: "healthy\r\n" });
        assertMatch(String(stdout), /^New, /m);
      }
      await server.record("healthy");
    }));
});

/** The file of a session that openssl(1) has begun with a server of its own. */
async function foreignSession(version: string): Promise<string> {
  const port = await freePort();
  const file = join(folder, `session${version}`);
  const own = ["openssl", "s_server", "-www", "-accept", String(port)];
  await withDaemon([...own, "-cert", cert, "-key", key], port, async () => {
    const client = ["openssl", "s_client", "-connect", `127.0.0.1:${port}`];
    // It is open for a while: a session of TLS 1.3 comes behind the handshake.
    const words = [...client, version, "-sess_out", file].join(" ");
    await mustRun(["sh", "-c", `sleep 1 | ${words}`]);
  });
  assert(readFileSync(file).length > 100);
  return file;
}
