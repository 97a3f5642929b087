/** Service lines that are slow, cut, endless, unfinished or none at all. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { assail } from "./support/hostile.ts";
import { HEALTHY, ROOM, unharmed, withVictim } from "./support/unharmed.ts";

const LATE = "-Timed out waiting for a service name\r\n";
const MALFORMED = "-Malformed service name\r\n";
const SHORT = "-Service name cut short\r\n";
const UNKNOWN = "-Service not available\r\n";

/** Runs an attack again and again. */
function unharmedBy(
  attack: (port: number) => Promise<unknown>,
  keys = "",
): Promise<void> {
  const table = `[server]
${keys}
${ROOM}
[services.echo]
builtin = "echo"
${HEALTHY}`;
  return withVictim(table, (server) =>
    unharmed(server, async () => {
      await attack(server.port);
    }));
}

/** The bytes of a text in the form that `send:` takes, whatever they are. */
function escaped(bytes: Iterable<number>): string {
  return [...bytes]
    .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
    .join("");
}

/** Bytes without any order, the same ones each time. */
function garbage(count: number): number[] {
  let seed = 1;
  return Array.from({ length: count }, () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed >> 16 & 0xff;
  });
}

describe("a service line", () => {
  test("in every segmentation is the same line, and loses nothing", () =>
    unharmedBy(async (port) => {
      // The line of 6 bytes and 2 more, cut or not behind each of the first 7.
      const steps = ["cut:echo\\r\\nhi", "end", "all"];
      const heard = await assail(port, { count: 128 }, ...steps);
      assertEquals([...heard], [["+Go\r\nhi", 128]]);
    }));

  test("that ends at any byte is told so, and only then", () =>
    unharmedBy(async (port) => {
      const steps = ["upto:echo\\r\\nhi", "end", "all"];
      const heard = await assail(port, { count: 9 }, ...steps);
      assertEquals(Object.fromEntries(heard), {
        "": 1,
        [SHORT]: 5,
        "+Go\r\n": 1,
        "+Go\r\nh": 1,
        "+Go\r\nhi": 1,
      });
    }));

  test("that is reset at any byte leaves nothing", () =>
    unharmedBy((port) =>
      assail(port, { count: 9 * 20, atATime: 9 }, "upto:echo\\r\\nhi", "reset")
    ));

  test("that is slow, or does not come, is waited for so long only", () =>
    unharmedBy(async (port) => {
      const line = "echo".repeat(8);
      const attacks = await Promise.all([
        assail(port, { count: 200 }, `slowly:50:${line}`, "all"),
        assail(port, { count: 200 }, "all"),
        assail(port, { count: 200 }, "send:ec", "all"),
      ]);
      for (const heard of attacks) assertEquals([...heard], [[LATE, 200]]);
    }, `handshake_timeout = "1s"`));

  test("that has no end is refused, and not read for ever", () =>
    unharmedBy(async (port) => {
      const steps = ["flood:1:5000000", "pause:0.1", "all"];
      const heard = await assail(port, { count: 40 }, ...steps);
      // Who sends on is reset, which may take the refusal away.
      for (const text of heard.keys()) assert(["", MALFORMED].includes(text));
    }));

  test("with garbage behind it is answered once", () =>
    unharmedBy(async (port) => {
      const more = escaped(garbage(5000)) + "nope\\r\\n".repeat(1000);
      const cases: [string, string][] = [
        ["nope\\r\\n", UNKNOWN],
        ["healthy\\r\\n", "+Go\r\nwell"],
        ["HELP\\r\\n", "echo\r\nhealthy\r\n"],
      ];
      for (const [line, answer] of cases) {
        const steps = [`send:${line}${more}`, "end", "all"];
        const heard = await assail(port, { count: 20 }, ...steps);
        assertEquals([...heard], [[answer, 20]]);
      }
    }));

  test("that is none is refused", () =>
    unharmedBy(async (port) => {
      const cases: [string, string][] = [
        ["\\r\\n", MALFORMED],
        ["\\n\\n\\n", MALFORMED],
        ["\\x00\\x00\\x00\\x00", MALFORMED],
        [escaped(garbage(300)), MALFORMED],
        ["a".repeat(256), MALFORMED],
        ["ec\\rho\\r\\n", MALFORMED],
        ["\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03", MALFORMED],
        ["GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", UNKNOWN],
        ["SSH-2.0-OpenSSH_9.2\\r\\n", UNKNOWN],
        ["PROXY TCP4 192.0.2.1 192.0.2.2 1 1\\r\\necho\\r\\n", UNKNOWN],
      ];
      for (const [line, answer] of cases) {
        const steps = [`send:${line}`, "end", "all"];
        const heard = await assail(port, { count: 5 }, ...steps);
        assertEquals([...heard], [[answer, 5]], line);
      }
    }));
});
