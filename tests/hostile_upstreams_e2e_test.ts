/** Upstreams that misbehave in every way. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { blackhole } from "./support/blackhole.ts";
import { assail, withHostileUpstream } from "./support/hostile.ts";
import {
  HEALTHY,
  healthy,
  ROOM,
  unharmed,
  withVictim,
} from "./support/unharmed.ts";

const UNAVAILABLE = "-Service temporarily unavailable\r\n";

/** An upstream that says nothing is waited for so long. */
const SHORT = "500ms";

/** One that is slow only because the machine is. */
const LONG = "60s";

/** Clients ask for it as a plain server and as a TCPMUX server. */
function table(port: number, idle = SHORT): string {
  return `[server]
connect_timeout = "500ms"
idle_timeout = "${idle}"
${ROOM}
${HEALTHY}
[services.up]
connect = "127.0.0.1:${port}"
[services.mux]
tcpmux = "127.0.0.1:${port}/any"
`;
}

/** What clients read, again and again, from both services. */
function unharmedBy(
  port: number,
  hears: (text: string) => boolean,
  idle?: string,
): Promise<void> {
  return withVictim(
    table(port, idle),
    (server) =>
      unharmed(server, async () => {
        await Promise.all(["up", "mux"].map(async (name) => {
          const steps = [`send:${name}\\r\\n`, "all"];
          const heard = await assail(server.port, { count: 50 }, ...steps);
          for (const text of heard.keys()) assert(hears(text), text);
        }));
        await healthy(server.port);
      }),
  );
}

describe("an upstream", () => {
  const cases: [string, string[], RegExp, string?][] = [
    ["that accepts and says nothing", ["all"], /^$/, SHORT],
    ["that resets at once", ["reset"], /^$/],
    ["that closes without a word", ["close"], /^$/],
    ["that resets in the midst", [
      ...["send:+ab\\r\\ncd", "pause:0.05", "reset"],
    ], /^(\+ab\r\n)?(cd)?$/],
    ["that trickles", ["slowly:30:+ab\\r\\ncd"], /^\+ab\r\ncd$/],
    ["that never reads and never ends", ["pause:90"], /^$/, SHORT],
    ["that sends garbage", ["send:\\x00\\xff\\r\\n"], /^\0\xff\r\n$/],
  ];
  for (const [what, steps, said, idle = LONG] of cases) {
    test(
      what,
      () =>
        withHostileUpstream(
          steps,
          (port) =>
            unharmedBy(
              port,
              (text) =>
                text === "" || text === UNAVAILABLE ||
                said.test(text) || said.test(text.replace(/^\+Go\r\n/, "")),
              idle,
            ),
        ),
    );
  }

  test("that does not even accept", async () => {
    const hole = await blackhole();
    try {
      assert(hole.endpoint.transport === "tcp");
      await unharmedBy(hole.endpoint.port, (text) => text === UNAVAILABLE);
    } finally {
      hole.close();
    }
  });

  test("that is sent more than it takes, by who is gone then", () =>
    withHostileUpstream(
      ["small", "send:+ab\\r\\n", "pause:90"],
      (port) =>
        withVictim(
          table(port),
          (server) =>
            unharmed(server, async () => {
              for (const name of ["up", "mux"]) {
                const steps = [
                  `send:${name}\\r\\n`,
                  "line",
                  "flood:0.1",
                  "reset",
                ];
                const heard = await assail(
                  server.port,
                  { count: 20 },
                  ...steps,
                );
                assertEquals(heard.size > 0, true);
              }
            }),
        ),
    ));
});
