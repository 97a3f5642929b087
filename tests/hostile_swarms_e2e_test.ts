/** Thousands of connections that say nothing, or are gone at once. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { assail, type Crowd, whileTheyWait } from "./support/hostile.ts";
import {
  HEALTHY,
  healthy,
  ROOM,
  unharmed,
  withVictim,
} from "./support/unharmed.ts";
import { needsFiles } from "./support/needs.ts";

/** For the swarm; clients in good faith come from 127.0.0.1. */
const ELSEWHERE = { from: ["127.0.0.9"] };
const SWARM: Crowd = { count: 5000, ...ELSEWHERE };
const STORM: Crowd = { count: 2000, atATime: 50, ...ELSEWHERE };
const BUSY = "-Server busy, try again later\r\n";
const LATE = "-Timed out waiting for a service name\r\n";

// Its limits are fitted to the open files, and some it takes for itself.
const enough = needsFiles(15_000);

/** Runs an attack again and again on a server with these `[server]` keys. */
function unharmedBy(
  keys: string,
  attack: (port: number) => Promise<unknown>,
): Promise<void> {
  return withVictim(
    `[server]\n${keys}\n${HEALTHY}`,
    (server) =>
      unharmed(server, async () => {
        await attack(server.port);
      }),
  );
}

describe("5,000 connections at a time that say nothing", enough, () => {
  test("are held, and others are served, until they are reset", () =>
    unharmedBy(`handshake_timeout = "60s"${ROOM}`, async (port) => {
      const steps = ["wait", "reset"];
      await whileTheyWait(port, SWARM, steps, () => healthy(port));
    }));

  test("are let go after handshake_timeout, though they stay", () =>
    unharmedBy(`handshake_timeout = "1s"${ROOM}`, async (port) => {
      const heard = await assail(port, SWARM, "all");
      assertEquals([...heard], [[LATE, SWARM.count]]);
    }));

  // Beyond so many refusals at a time there is a reset and no word.
  const REFUSED = new Set([BUSY, LATE, ""]);

  test("are refused beyond the room of one source, and others served", () =>
    unharmedBy(`handshake_timeout = "1s"`, async (port) => {
      const steps = ["wait", "all"];
      const heard = await whileTheyWait(port, SWARM, steps, async () => {
        for (let i = 0; i < 10; i++) await healthy(port);
      });
      assert(heard.get(LATE)! >= 256 && heard.has(BUSY));
      for (const text of heard.keys()) assert(REFUSED.has(text), text);
    }));

  test("of many sources are refused beyond max_handshakes, for a while", () =>
    unharmedBy(`handshake_timeout = "1s"`, async (port) => {
      const from = Array.from({ length: 50 }, (_, i) => `127.0.1.${i + 1}`);
      const steps = ["wait", "all"];
      const swarm = { ...SWARM, from };
      const heard = await whileTheyWait(
        port,
        swarm,
        steps,
        () => healthy(port),
      );
      assert(heard.get(LATE)! >= 512 && heard.has(BUSY));
      for (const text of heard.keys()) assert(REFUSED.has(text), text);
    }));
});

describe("a storm of 2,000 connections", () => {
  const cases: [string, string[][]][] = [
    ["that are reset at once", [["reset"]]],
    ["that are closed at once", [["close"]]],
    ["that go in the midst of their line, or behind it", [
      ["send:heal", "reset"],
      ["send:heal", "close"],
      ["send:healthy\\r\\n", "reset"],
      ["send:healthy\\r\\nhea", "close"],
    ]],
  ];
  for (const [what, ways] of cases) {
    test(what, () => {
      const storm = { ...STORM, count: 2000 / ways.length };
      return unharmedBy(ROOM, async (port) => {
        for (const steps of ways) await assail(port, storm, ...steps);
      });
    });
  }
});
