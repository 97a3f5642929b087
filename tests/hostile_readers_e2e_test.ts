/** Clients that ask for much and read nothing of it. */
import { describe, test } from "node:test";
import { ENDLESS, words } from "./support/exec.ts";
import { whileTheyWait, withHostileUpstream } from "./support/hostile.ts";
import { programHandsOver } from "./support/server.ts";
import {
  HEALTHY,
  healthy,
  ROOM,
  unharmed,
  withVictim,
} from "./support/unharmed.ts";

/** Services that send without end, or what they get. */
function unharmedBy(...services: string[]): Promise<void> {
  const names = services.map((_, i) => `s${i}`);
  const tables = services.map((keys, i) => `[services.s${i}]\n${keys}\n`);
  const table = `[server]\n${ROOM}\n${HEALTHY}\n${tables.join("")}`;
  return withVictim(table, (server) =>
    unharmed(server, async () => {
      await Promise.all(names.map((name) => {
        // Those that send are stuck at once, those that answer when they are
        // sent enough. None of their bytes may lie with the server.
        const steps = [
          "small",
          `send:${name}\\r\\n`,
          "flood:0.2:5000000",
          "wait",
        ];
        return whileTheyWait(
          server.port,
          { count: 20 },
          [...steps, "reset"],
          () => healthy(server.port),
        );
      }));
    }));
}

describe("clients that never read leave nothing behind", () => {
  test("of what is built in", () =>
    unharmedBy(`builtin = "chargen"`, `builtin = "echo"`));

  test("of a text", () => unharmedBy(`text = "${"text".repeat(1_000_000)}"`));

  test("of HELP, who do not keep a slot either", () => {
    const name = (i: number) => `${i}`.padEnd(250, "x");
    const many = Array.from(
      { length: 12_000 },
      (_, i) => `[services.${name(i)}]\ntext = ""\n`,
    );
    const table = `[server]\nhandshake_timeout = "500ms"\n${HEALTHY}` +
      many.join("");
    return withVictim(table, async (server) => {
      await whileTheyWait(
        server.port,
        { count: 5 },
        ["small", "send:HELP\\r\\n", "wait", "reset"],
        async () => {
          await server.logged(
            "connection",
            ({ outcome, reason }) =>
              outcome === "timeout" &&
              reason ===
                "the client did not read HELP within handshake_timeout",
          );
          await healthy(server.port);
        },
      );
    });
  });

  test("of an upstream that sends without end", () =>
    withHostileUpstream(
      // So much no buffers hold; once its clients are gone, all is taken.
      ["send:+ab\\r\\n", "flood:0.1:16000000", "drip:90"],
      (port) =>
        unharmedBy(
          `connect = "127.0.0.1:${port}"`,
          `tcpmux = "127.0.0.1:${port}/any"`,
        ),
    ));

  test("of a program on pipes", () =>
    unharmedBy(`exec = ["cat"]`, `exec = ${words(ENDLESS)}`));

  test(
    "of a program on the socket",
    { skip: !programHandsOver() },
    () =>
      unharmedBy(
        `exec = ["cat"]\nstdio = "socket"`,
        `exec = ${words(ENDLESS)}\nstdio = "socket"`,
      ),
  );
});
