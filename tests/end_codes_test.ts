/** The code of each record: the one word for what ended a connection. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { ConnectionRecord, EndCode, TableInput } from "../mod.ts";
import { OUTCOMES } from "../src/policy/ending.ts";
import { readLine } from "./support/bytes.ts";
import { type InMemory, inMemory } from "./support/in_memory.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

interface Case {
  readonly code: EndCode;
  readonly name: string;
  readonly server?: TableInput["server"];
  readonly service?: Record<string, unknown>;
  /** What the client does; by default it sends `request` and ends its side. */
  readonly act?: (set: InMemory) => Promise<void>;
  readonly request?: string;
}

const ECHO = { builtin: "echo" };
const NAME = "x".repeat(256);

/** A client that is served, and stays. */
async function stay(set: InMemory): Promise<void> {
  const conn = await set.connect("a\r\n");
  await readLine(conn);
}

/** One client who stays, and another one. */
async function two(set: InMemory): Promise<void> {
  await stay(set);
  await set.ask("a\r\n");
}

const CASES: readonly Case[] = [
  { code: "ok", name: "a session in good order", request: "a\r\n" },
  { code: "help", name: "HELP", request: "help\r\n" },
  { code: "unknown", name: "a name that nobody has", request: "none\r\n" },
  {
    code: "denied",
    name: "a service that is switched off",
    service: { ...ECHO, enabled: false },
    request: "a\r\n",
  },
  {
    code: "denied",
    name: "a client that is kept out",
    service: { ...ECHO, deny: ["127.0.0.0/8"] },
    request: "a\r\n",
  },
  {
    code: "denied",
    name: "HELP switched off",
    server: { help: false },
    request: "HELP\r\n",
  },
  {
    code: "closed_hours",
    name: "a service that is closed",
    service: { ...ECHO, hours: closedNow() },
    request: "a\r\n",
  },
  { code: "too_long", name: "a name too long", request: `${NAME}\r\n` },
  { code: "bad_byte", name: "a byte no name has", request: "a\tb\r\n" },
  { code: "empty", name: "no name", request: "\r\n" },
  {
    code: "proxy_error",
    name: "a client without a header at a proxy's address",
    server: { listen: "proxy://127.0.0.1:0", trusted_proxies: ["127.0.0.1"] },
    request: "a\r\n",
  },
  { code: "eof", name: "half a name", request: "abou" },
  { code: "silence", name: "nothing at all", request: "" },
  {
    code: "timeout",
    name: "a client that does not finish",
    server: { handshake_timeout: "50ms" },
    act: async (set) => void await set.connect("abo"),
  },
  {
    code: "backend_down",
    name: "an upstream that is not there",
    service: { connect: "127.0.0.1:9" },
    request: "a\r\n",
  },
  {
    code: "idle_timeout",
    name: "a session without a byte",
    service: { ...ECHO, idle_timeout: "50ms" },
    act: stay,
  },
  {
    code: "half_closed_timeout",
    name: "a session of which one side has ended",
    service: {
      handler: () => new Promise<void>(() => {}),
      half_closed_timeout: "50ms",
    },
    request: "a\r\n",
  },
  {
    code: "max_duration",
    name: "a session that takes too long",
    service: { ...ECHO, max_duration: "50ms" },
    act: stay,
  },
  {
    code: "failed",
    name: "a function that throws",
    service: {
      handler: () => {
        throw new Error("oops");
      },
    },
    request: "a\r\n",
  },
  {
    code: "aborted",
    name: "a client that breaks off",
    act: async (set) => {
      const conn = await set.connect("a\r\n");
      await readLine(conn);
      conn.abort();
    },
  },
  {
    code: "limit_global",
    name: "max_connections of the server",
    server: { max_connections: 1 },
    act: two,
  },
  {
    code: "limit_service",
    name: "max_connections of a service",
    service: { ...ECHO, max_connections: 1 },
    act: two,
  },
  {
    code: "limit_source",
    name: "max_connections_per_source",
    server: { max_connections_per_source: 1 },
    act: two,
  },
  {
    code: "rate",
    name: "rate of a service",
    service: { ...ECHO, rate: "1/h" },
    act: two,
  },
  {
    code: "penalty",
    name: "a source that guesses names",
    server: { penalties: { exempt: [], threshold: "2s" } },
    act: async (set) => {
      await set.ask("none\r\n");
      await set.ask("a\r\n");
    },
  },
  {
    code: "draining",
    name: "a client that has not named a service when the server stops",
    act: async (set) => {
      await set.connect("a");
      await set.ask("HELP\r\n"); // so the first one is being read, too
      set.server.close(5_000);
    },
  },
  {
    code: "stopped",
    name: "a session when the time to end is over",
    act: async (set) => {
      await stay(set);
      set.server.close(0);
    },
  },
];

/** Hours of a service, on another day than today, yesterday or tomorrow. */
function closedNow(): readonly string[] {
  const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  return [`${days[(new Date().getDay() + 3) % 7]} 00:00-24:00`];
}

describe("a record has the code", () => {
  for (const one of CASES) {
    test(`${one.code}: ${one.name}`, () =>
      inMemory({
        server: one.server ?? {},
        services: { a: one.service ?? ECHO },
      } as TableInput, async (set) => {
        if (one.act !== undefined) await one.act(set);
        else await (await set.connect(one.request!)).closeWrite();
        const record = await recordOf(set, one.code);
        assertEquals(record.outcome, OUTCOMES[one.code]);
        const line = set.log.find(({ message, fields }) =>
          message === "connection" && fields.conn === record.conn
        );
        assertEquals(line?.fields.code, one.code);
        const began = SERVED.includes(one.code);
        assertEquals(record.handshakeMs !== undefined, began);
        assertEquals(line?.fields.handshake_ms, record.handshakeMs);
        if (began) assert(record.handshakeMs! <= record.durationMs);
      }));
  }
});

/** The codes of connections whose service had begun. */
const SERVED: readonly EndCode[] = [
  "ok",
  "idle_timeout",
  "half_closed_timeout",
  "max_duration",
  "failed",
  "aborted",
  "stopped",
];

function recordOf(set: InMemory, code: EndCode): Promise<ConnectionRecord> {
  return until(
    () => `${code} is recorded, not ${JSON.stringify(set.records)}`,
    () => set.records.find((record) => record.code === code),
  );
}

test("docs/log.md has every code with its outcome, and no other", () => {
  const text = readFileSync(join(ROOT, "docs", "log.md"), "utf8");
  const [, ...rows] = text.matchAll(/^\| `(\w+)` +\| `(\w+)` +\|/gm);
  assertEquals(
    Object.fromEntries(rows.map(([, code, outcome]) => [code, outcome])),
    OUTCOMES,
  );
});

test("the admin page has words for every code but those that are good", () => {
  const page = join(ROOT, "src", "admin", "page", "page.js");
  const [, lines = ""] = /^const REASONS = \{\n(.*?)^\};/ms
    .exec(readFileSync(page, "utf8")) ?? [];
  const { ok: _, help: __, ...bad } = OUTCOMES;
  assertEquals(
    [...lines.matchAll(/^ {2}(\w+): "/gm)].map(([, code]) => code).sort(),
    Object.keys(bad).sort(),
  );
});
