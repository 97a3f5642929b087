/** What is counted, what is shown of it, and what is switched off. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { sessionsText, statusText } from "../src/cli/control/status_text.ts";
import { decide } from "../src/policy/decide.ts";
import { type EndCode, type Outcome, OUTCOMES } from "../src/policy/ending.ts";
import type { ConnectionRecord, Recorded } from "../src/record.ts";
import { StatusSource } from "../src/status/status.ts";
import { parseTable } from "../src/table/parse.ts";
import { amount, clock } from "../src/units.ts";

const TABLE = parseTable(
  `
[services.echo]
builtin = "echo"
aliases = ["again"]
[services.about]
text = "about"
`,
  "t.toml",
);

function source(sessions: readonly Recorded[] = []): StatusSource {
  return new StatusSource({
    version: "1.2.3",
    runtime: "test 1",
    sessions: () => sessions,
    listeners: () => ["127.0.0.1:1"],
    isDraining: () => false,
    certificates: () => [],
    isSwitchedOff: ({ name }) => name === "about",
  });
}

const CODES = Object.keys(OUTCOMES) as EndCode[];

function record(service: string, outcome: Outcome): ConnectionRecord {
  return {
    conn: 1,
    remote: "127.0.0.1:2",
    local: "127.0.0.1:1",
    listener: "127.0.0.1:1",
    service,
    kind: "",
    outcome,
    code: CODES.find((code) => OUTCOMES[code] === outcome)!,
    bytesIn: 3,
    bytesOut: 5,
    durationMs: 1,
    reason: "",
  };
}

describe("a status", () => {
  test("counts what has ended, by service and by outcome", () => {
    const status = source();
    status.inForce({ table: TABLE, file: "t.toml" });
    for (
      const [service, outcome] of [
        ["echo", "served"],
        ["echo", "busy"],
        ["echo", "timeout"],
        ["echo", "aborted"],
        ["", "unknown"],
        ["gone", "served"],
      ] as const
    ) status.recorded(record(service, outcome));
    const { outcomes, services } = status.status();
    assertEquals(outcomes, {
      served: 2,
      busy: 1,
      timeout: 1,
      aborted: 1,
      unknown: 1,
    });
    assertEquals(
      services.map((one) => [
        one.name,
        one.switched_off,
        one.served,
        one.refused,
        one.failed,
        one.bytes_in,
        one.bytes_out,
      ]),
      [["echo", false, 1, 1, 2, 12, 20], ["about", true, 0, 0, 0, 0, 0]],
    );
  });

  test("forgets services that a reload has removed, and no others", () => {
    const status = source();
    const other = parseTable(`[services.echo]\nbuiltin = "echo"\n`, "u.toml");
    status.inForce({ table: TABLE, file: "t.toml" });
    status.recorded(record("echo", "served"));
    status.recorded(record("about", "served"));
    status.inForce({ table: other, file: "u.toml" });
    status.reloaded(undefined);
    status.inForce({ table: TABLE, file: "t.toml" });
    status.reloaded(new Error("why"));
    const { services, reload } = status.status();
    assertEquals(services.map(({ served }) => served), [1, 0]);
    assertEquals([reload!.ok, reload!.error], [false, "why"]);
  });

  test("as text is plain ASCII, whatever stands in it", () => {
    const evil = "\x1b[31m\u202e\u0007é\n";
    const service = { ...TABLE.services[0]!, name: evil };
    const session: Recorded = {
      id: 7,
      peer: {
        local: { transport: "unix", path: evil },
        remote: { transport: "unix", path: evil },
      },
      server: { listener: evil },
      service,
      upstream: { transport: "unix", path: evil },
      requested: undefined,
      namedBy: undefined,
      uniqueId: undefined,
      begin: performance.now(),
      served: 0,
      bytesIn: 0,
      bytesOut: 0,
      lastMoved: 0,
    };
    const status = source([session]);
    status.inForce({ table: TABLE, file: evil });
    status.reloaded(new Error(evil));
    const lines = [
      ...statusText(status.status()),
      ...sessionsText(status.sessions()),
    ];
    for (const line of lines) assert(/^[\x20-\x7e]*$/.test(line), line);
    assertEquals(status.status().sessions, 1);
  });
});

describe("a service that is switched off", () => {
  const asking = {
    peer: { remote: { transport: "tcp", host: "192.0.2.1", port: 1 } },
    now: 0,
  } as const;

  test("is as one that is not enabled, by every name", () => {
    const switchedOff = new Set(["ECHO"]);
    const off = { ...asking, switchedOff };
    for (const name of ["echo", "AGAIN"]) {
      assertEquals(decide(TABLE, name, asking).kind, "serve");
      const decision = decide(TABLE, name, off);
      assert(decision.kind === "refuse");
      assertEquals(
        [decision.outcome, decision.text, decision.reason],
        ["denied", "Service not available", "the service echo is switched off"],
      );
    }
    assertEquals(decide(TABLE, "about", off).kind, "serve");
    const help = (of: Parameters<typeof decide>[2]) => {
      const decision = decide(TABLE, "HELP", of);
      assert(decision.kind === "help");
      return new TextDecoder().decode(decision.text);
    };
    assertEquals(help(asking), "echo\r\nabout\r\n");
    assertEquals(help(off), "about\r\n");
    switchedOff.clear();
    assertEquals(help(off), "echo\r\nabout\r\n");
  });
});

test("amounts and ages are short", () => {
  assertEquals([0, 1023, 1536, 5e9].map(amount), [
    "0 B",
    "1023 B",
    "1.5 KiB",
    "4.7 GiB",
  ]);
  assertEquals([7.9, 61, 3600, 90061].map(clock), [
    "0:07",
    "1:01",
    "1:00:00",
    "25:01:01",
  ]);
});
