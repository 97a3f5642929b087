/** Connections that break off in every state of a session, of every kind. */
import { describe, test } from "node:test";
import { ENDLESS, shell, words } from "./support/exec.ts";
import { assail, withHostileUpstream } from "./support/hostile.ts";
import { programHandsOver } from "./support/server.ts";
import { HEALTHY, ROOM, unharmed, withVictim } from "./support/unharmed.ts";

/** `give` sends without end, `take` never answers, `both` does both. */
const NAMES = ["give", "take", "both"] as const;

const BUILTINS = `
[services.give]
builtin = "chargen"
[services.take]
builtin = "discard"
[services.both]
builtin = "echo"
`;

const TEXTS = NAMES
  .map((name) => `[services.${name}]\ntext = "${"text".repeat(200_000)}"\n`)
  .join("");

function programs(keys = ""): string {
  return `[services.give]\nexec = ${words(ENDLESS)}\n${keys}\n` +
    shell("take", "exec cat > /dev/null", keys) +
    shell("both", "exec cat", keys);
}

/** The states of a session, each as the steps that lead there. */
function states(name: string, answers: boolean): string[][] {
  const line = `send:${name}\\r\\n`;
  return [
    [], // nothing said
    [`send:${name.slice(0, 2)}`], // in the midst of the line
    [line], // behind the line
    [line, "line"], // behind the reply
    [line, "line", "flood:0.05:2000000"], // in the midst of what it sends
    [line, "line", "send:abc", "end"], // behind the end of that
    // In the midst of what it gets, of which it has read next to nothing.
    ...answers ? [["small", `${line}abc`, "read:8", "pause:0.05"]] : [],
    ...answers ? [[`${line}abc`, "read:8", "end"]] : [],
  ];
}

/** A few connections in each state, all reset and then all closed. */
async function breakOff(port: number): Promise<void> {
  await Promise.all(NAMES.map((name) => {
    const steps = states(name, name !== "take").flatMap((state) =>
      ["reset", "close"].flatMap((last) => [...state, last, "anew"])
    );
    return assail(port, { count: 5 }, ...steps.slice(0, -1));
  }));
}

function unharmedWith(services: string): Promise<void> {
  return withVictim(
    `[server]\n${ROOM}\n${services}\n${HEALTHY}`,
    (server) => unharmed(server, () => breakOff(server.port)),
  );
}

describe("breaking off in every state leaves nothing behind", () => {
  test("with what is built in", () => unharmedWith(BUILTINS));

  test("with a text", () => unharmedWith(TEXTS));

  test("with a program on pipes", () => unharmedWith(programs()));

  test(
    "with a program on the socket",
    { skip: !programHandsOver() },
    () => unharmedWith(programs(`stdio = "socket"`)),
  );

  test("with an upstream", () =>
    withHostileUpstream(
      ["flood:0.1:16000000", "drip:30"],
      (give) =>
        withHostileUpstream(["all"], (take) =>
          withHostileUpstream(["read:3", "send:abc", "all"], (both) => {
            const ports = { give, take, both };
            return unharmedWith(
              NAMES.map((name) =>
                `[services.${name}]\nconnect = "127.0.0.1:${ports[name]}"\n`
              ).join(""),
            );
          })),
    ));

  test("with a service of another server, which has nothing left either", () =>
    withVictim(`[server]\n${ROOM}\n${BUILTINS}\n${HEALTHY}`, (behind) => {
      const chained = NAMES.map((name) =>
        `[services.${name}]\ntcpmux = "127.0.0.1:${behind.port}/${name}"\n`
      ).join("");
      return withVictim(
        `[server]\n${ROOM}\n${chained}\n${HEALTHY}`,
        (front) => unharmed(front, () => breakOff(front.port), behind),
      );
    }));
});
