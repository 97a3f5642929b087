/** What the tests of documents see, and what they do not let pass. */
import { describe, test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { blocksOf, Terminals } from "./support/console_blocks.ts";
import { withFolder } from "./support/daemon.ts";
import { here } from "./support/reader.ts";

/** Types a document of these blocks. */
function type(...blocks: [language: string, ...lines: string[]][]) {
  const document = blocks.map(([language, ...lines]) =>
    ["```" + language, ...lines, "```", ""].join("\n")
  );
  return withFolder(async (folder) => {
    const terminals = new Terminals(folder, folder, {});
    try {
      await terminals.type(blocksOf(document.join("\n")));
    } finally {
      await terminals.close();
    }
  });
}

describe("what a document prints", () => {
  test("may be what comes, but for times", () =>
    type(
      ["console", "$ echo one >&2; echo two", "one", "two", "$ true"],
      ["console", "$ date -u +%FT%T.000Z", "2026-11-22T08:54:19.448Z"],
      ["json", "{}"],
    ));

  const wrong: Record<string, string[]> = {
    "another line": ["$ echo one", "two"],
    "a line less": ["$ echo one", "one", "two"],
    "a line more": ["$ echo one; echo two", "one"],
    "a status": ["$ echo one; exit 3", "one"],
    "a command that is not there": ["$ no-such-command"],
  };
  for (const [name, lines] of Object.entries(wrong)) {
    test(`fails by ${name}`, async () => {
      await assertRejects(() => type(["console", ...lines]));
    });
  }

  test("may go on, and come from another terminal", () =>
    type(
      [
        "console stays",
        "$ mkfifo pipe",
        "$ echo up; cat <> pipe",
        "up",
        "…",
        "two",
      ],
      ["console", "$ echo one > pipe", "$ echo two > pipe"],
    ));

  test("fails by an end where it goes on", async () => {
    await assertRejects(() => type(["console stays", "$ true", "one"]));
  });

  test("waits for what serves behind &", () =>
    type(["sh", "(sleep 0.3; touch up; echo is serving now) &", "test -e up"]));
});

test("only whole numbers are exchanged", () => {
  assertEquals(here("22 122 a:22", { "22": "5" }), "5 122 a:5");
  assertEquals(here("1.2:22", { "1.2:22": "x" }), "x");
});
