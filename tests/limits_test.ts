import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Endpoint } from "../src/endpoint.ts";
import { Limits, type Slot } from "../src/policy/limits.ts";
import { parseTable } from "../src/table/parse.ts";

const from = (host: string): Endpoint => ({ transport: "tcp", host, port: 9 });
const UNIX: Endpoint = { transport: "unix", path: "" };

/** The limits of a table, and time at a standstill. */
function setUp(server: string, service = "") {
  const text = `[server]\n${server}\n` +
    `[services.a]\ntext = ""\n${service}\n[services.b]\ntext = ""\n`;
  const table = parseTable(text, "f");
  const [a, b] = table.services;
  const time = { now: 0, chance: 0 };
  const limits = new Limits({
    clock: () => time.now,
    random: () => time.chance,
  });
  return {
    limits,
    time,
    a: a!,
    b: b!,
    arrive: (host = "192.0.2.1") =>
      limits.arrive(from(host), table.server.limits),
    onUnix: () => limits.arrive(UNIX, table.server.limits),
  };
}

const NONE = "max_connections_per_source = 0";

describe("limits of the server", () => {
  test("of connections: it serves up to it, refuses, and then drops", () => {
    const { arrive, a, limits } = setUp(`max_connections = 2\n${NONE}`);
    const served = [arrive(), arrive()];
    assertEquals(served.map((slot) => slot.admit(a)), [undefined, undefined]);
    const refused: Slot[] = [];
    for (;;) {
      const slot = arrive();
      if (slot.verdict === "drop") break;
      assertEquals(slot.verdict, "refuse");
      assertEquals(slot.refusal!.reason, "max_connections is reached");
      refused.push(slot);
      assert(refused.length < 10_000, "refusals have no bound");
    }
    assert(refused.length > 0);
    assertEquals(limits.serving, 2);
    refused[0]!.release();
    assertEquals(arrive().verdict, "refuse");
    served[0]!.release();
    assertEquals(arrive().verdict, "serve");
  });

  test("of connections are for those that have a service", () => {
    const { arrive, a } = setUp("max_connections = 1");
    const early = [arrive(), arrive(), arrive()];
    assertEquals(early[0]!.admit(a), undefined);
    assertEquals(early[1]!.admit(a)!.outcome, "busy");
    early[0]!.release();
    assertEquals(early[2]!.admit(a), undefined);
  });

  test("of handshakes refuse at random, and then all", () => {
    const { arrive, time, a, limits } = setUp('max_handshakes = "2:50:4"');
    const [first] = [arrive(), arrive()];
    time.chance = 0.6;
    assertEquals(arrive().verdict, "serve");
    time.chance = 0.4;
    assertEquals(arrive().refusal!.reason, "max_handshakes is reached");
    time.chance = 0.99;
    assertEquals(arrive().verdict, "serve");
    assertEquals(arrive().verdict, "refuse");
    assertEquals(limits.handshakes, 4);
    first!.admit(a);
    assertEquals(arrive().verdict, "serve");
  });

  test("of a source: others are not affected", () => {
    const { arrive } = setUp("max_connections_per_source = 2");
    const [one] = [arrive(), arrive()];
    assertEquals(
      arrive().refusal!.reason,
      "max_connections_per_source is reached",
    );
    assertEquals(arrive("192.0.2.2").verdict, "serve");
    one!.release();
    assertEquals(arrive().verdict, "refuse"); // the refused one is still here
  });

  test("of a source are for its whole IPv6 network", () => {
    const { arrive } = setUp("max_connections_per_source = 1");
    assertEquals(arrive("2001:db8::1").verdict, "serve");
    assertEquals(arrive("2001:db8::2:1").verdict, "refuse");
    assertEquals(arrive("2001:db8:0:1::1").verdict, "serve");
  });

  test("of a source are not for a Unix socket", () => {
    const { onUnix } = setUp(
      'max_connections_per_source = 1\nrate_per_source = "1/h"',
    );
    const verdicts = [onUnix(), onUnix(), onUnix()].map((s) => s.verdict);
    assertEquals(verdicts, ["serve", "serve", "serve"]);
  });

  test("of a source's rate refuse only the excess", () => {
    const { arrive, time } = setUp('rate_per_source = "2/s"');
    const verdicts = (...hosts: string[]) =>
      hosts.map((host) => arrive(host).verdict);
    assertEquals(verdicts("::1", "::1", "::1", "::2:0:0:0:0"), [
      "serve",
      "serve",
      "refuse",
      "serve",
    ]);
    time.now = 500;
    assertEquals(verdicts("::1", "::1"), ["serve", "refuse"]);
  });

  test("tell each how many its source has", () => {
    const { arrive } = setUp("");
    const [one] = [arrive()];
    assertEquals([one!.fromSource, arrive().fromSource], [1, 2]);
    assertEquals(arrive("::1").fromSource, 1);
    one!.release();
    assertEquals(arrive().fromSource, 2);
  });
});

describe("limits of a service", () => {
  const reasons: [string, (set: ReturnType<typeof setUp>) => unknown[]][] = [
    ["max_connections = 2", ({ arrive, a }) => [
      arrive("::1").admit(a),
      arrive("10.0.0.1").admit(a),
      arrive("10.0.0.2").admit(a)?.reason,
    ]],
    ["max_connections_per_source = 1", ({ arrive, a }) => [
      arrive("::1").admit(a),
      arrive("10.0.0.1").admit(a),
      arrive("10.0.0.1").admit(a)?.reason,
    ]],
    ['rate = "2/m"', ({ arrive, a }) => [
      arrive("::1").admit(a),
      arrive("10.0.0.1").admit(a),
      arrive("10.0.0.2").admit(a)?.reason,
    ]],
    ['rate_per_source = "1/m"', ({ arrive, a }) => [
      arrive("::1").admit(a),
      arrive("10.0.0.1").admit(a),
      arrive("10.0.0.1").admit(a)?.reason,
    ]],
  ];
  for (const [text, run] of reasons) {
    const [key] = text.split(" ");
    test(`${key} refuses the excess, and nobody else's`, () => {
      const set = setUp(NONE, text);
      const verb = key!.startsWith("rate") ? "exceeded" : "reached";
      const reason = `${key} of a is ${verb}`;
      assertEquals(run(set), [undefined, undefined, reason]);
      assertEquals(set.arrive("10.0.0.1").admit(set.b), undefined);
    });
  }

  test("rate_pause closes it for a while, and no longer", () => {
    const { arrive, a, time } = setUp(NONE, 'rate = "1/s"\nrate_pause = "30s"');
    const admitted = (now: number) => {
      time.now = now;
      return arrive().admit(a) === undefined;
    };
    assertEquals([0, 1, 1001, 30_000, 30_001, 30_002].map(admitted), [
      true,
      false,
      false,
      false,
      true,
      false,
    ]);
  });

  test("a refused one takes no room", () => {
    const { arrive, a, b, limits } = setUp(NONE, "max_connections = 1");
    const [first, second] = [arrive(), arrive()];
    first!.admit(a);
    second!.admit(a);
    assertEquals([limits.serving, limits.handshakes], [1, 1]);
    second!.release();
    first!.release();
    assertEquals([limits.serving, limits.handshakes], [0, 0]);
    assertEquals(arrive().admit(a), undefined);
    assertEquals(arrive().admit(b), undefined);
  });
});

describe("penalties of a source", () => {
  test("are refusals, and end", () => {
    const { arrive, time } = setUp("penalties.threshold = '4s'");
    arrive().blame("unknown");
    assertEquals(arrive().verdict, "serve");
    arrive().blame("unknown");
    const { verdict, refusal } = arrive();
    assertEquals([verdict, refusal!.outcome], ["refuse", "busy"]);
    assertEquals(refusal!.reason, "192.0.2.1 is penalised for 4 s more");
    assertEquals(arrive("192.0.2.2").verdict, "serve");
    time.now = 4000;
    assertEquals(arrive().verdict, "serve");
  });

  test("are not for this machine, nor for who is exempt", () => {
    const { arrive, onUnix } = setUp("");
    const exempt = setUp("penalties.exempt = ['192.0.2.0/24']");
    for (let i = 0; i < 50; i++) {
      arrive("127.0.0.1").blame("unfinished");
      arrive("::1").blame("unfinished");
      onUnix().blame("unfinished");
      exempt.arrive().blame("unfinished");
    }
    assertEquals(exempt.arrive().refusal, undefined);
    assertEquals(onUnix().refusal, undefined);
    assertEquals(arrive("127.0.0.1").refusal, undefined);
    assertEquals(arrive("::1").refusal, undefined);
  });
});

test("all comes back to nothing, in whatever order it ends", () => {
  const step = fc.record({
    what: fc.constantFrom("arrive", "admit", "release"),
    which: fc.nat(),
    host: fc.constantFrom("::1", "10.0.0.1", "10.0.0.2"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const { limits, arrive, a, b, time } = setUp(
      `max_connections = 5\nmax_handshakes = "3:30:6"\n${NONE}`,
      "max_connections = 3\nmax_connections_per_source = 2",
    );
    const early: Slot[] = [];
    const served: Slot[] = [];
    const refused: Slot[] = [];
    const take = (slots: Slot[], which: number) =>
      slots.splice(which % (slots.length || 1), 1)[0];
    for (const { what, which, host } of steps) {
      time.chance = (which % 100) / 100;
      if (what === "arrive") {
        const slot = arrive(host);
        (slot.verdict === "serve" ? early : refused).push(slot);
      } else if (what === "admit") {
        const slot = take(early, which);
        if (slot === undefined) continue;
        const isIn = slot.admit(which % 2 === 0 ? a : b) === undefined;
        (isIn ? served : early).push(slot);
      } else {
        const of = [early, served, refused][which % 3]!;
        take(of, which)?.release();
      }
      assertEquals(limits.handshakes, early.length);
      assertEquals(limits.serving, served.length);
      assert(limits.handshakes <= 6 && limits.serving <= 5);
    }
    for (const slot of [...early, ...served, ...refused]) slot.release();
    assertEquals([limits.handshakes, limits.serving], [0, 0]);
    assertEquals(arrive("::1").fromSource, 1);
  }));
});
