/** What the specification of the commands says, and what help makes of it. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readCommandLine, variableOf } from "../src/cli/flags.ts";
import { helpOf, helpOfAll } from "../src/cli/help.ts";
import { COMMANDS } from "../src/cli/spec.ts";
import { type CommandSpec, flagsWithHelp } from "../src/cli/spec/parts.ts";

const NAMES = COMMANDS.map(({ name }) => name);
const WIDTH = 80;

/** The words behind `tcpmux` in a line for a shell, if it stands there. */
function tcpmuxIn(line: string): string[][] {
  const [before = "", behind] = line.split("tcpmux ", 2);
  if (behind === undefined) return [];
  const isQuoted = before.split("'").length % 2 === 0;
  const command = isQuoted
    ? behind.split("'")[0]!.replace("\\n", "")
    : behind.replace(/[&>)].*/, "");
  const words = command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g);
  return [[...words].map(([, one, two, bare]) => one ?? two ?? bare!)];
}

describe("tcpmux --help", () => {
  test("has a line for each command that the program has", () => {
    const help = helpOfAll(NAMES);
    for (const { name, about } of COMMANDS) {
      assertMatch(help, new RegExp(`^  \\[?${name}\\b.* ${about}$`, "m"));
    }
    const client = helpOfAll(["connect", "list"]);
    assertMatch(client, /^ {2}connect /m);
    assert(!/^ {2}\[?(serve|probe)/m.test(client), client);
  });

  test("fits a terminal", () => {
    for (const help of [helpOfAll(NAMES), ...NAMES.map(helpOf)]) {
      const long = help.split("\n").filter((line) => line.length > WIDTH);
      assertEquals(long, []);
    }
  });
});

for (const command of COMMANDS as readonly CommandSpec[]) {
  const { name, positionals, exits, examples, flags } = command;
  const help = helpOf(name);

  describe(`tcpmux ${name} --help`, () => {
    test("names its arguments, flags and exit codes", () => {
      assertMatch(help, new RegExp(`^Usage: tcpmux \\[?${name}\\b`));
      for (const { name } of positionals) {
        assert(help.includes(`\n  ${name} `), name);
      }
      for (const [long, { short, value }] of flagsWithHelp(command)) {
        const letter = short === undefined ? "    " : `-${short}, `;
        const written = value === undefined ? "" : ` ${value.name}`;
        assert(help.includes(`\n  ${letter}--${long}${written} `), long);
      }
      for (const { code } of exits) assert(help.includes(`\n  ${code} `));
    });

    test("says how values are written, and which variable there is", () => {
      const values = Object.entries(flags).filter(([, { value }]) => value);
      for (const [, { value }] of values) {
        const says = `\n${value!.name} is `;
        assertEquals(help.includes(says), value!.forms !== undefined, says);
      }
      const [named] = values.find(([, { environment }]) =>
        environment !== false
      ) ?? [];
      assertEquals(
        named !== undefined && help.includes(variableOf(named)),
        values.length > 0,
      );
    });

    test("has examples whose flags there are", () => {
      const commands = examples.flatMap(({ lines }) => lines.flatMap(tcpmuxIn));
      assert(commands.length > 0, "no example");
      for (const [name, ...words] of commands) {
        const spec = COMMANDS.find((command) => command.name === name);
        assert(spec !== undefined, `there is no command ${name}`);
        readCommandLine(words, spec, () => undefined);
      }
    });

    test("has no letter twice, and defaults that may be given", () => {
      const all = flagsWithHelp(command);
      const letters = all.flatMap(([, { short }]) => short ?? []);
      assertEquals(new Set(letters).size, letters.length);
      for (const [, { value, default: standard }] of all) {
        if (value?.choices === undefined || standard === undefined) continue;
        assert(value.choices.includes(standard), standard);
      }
    });
  });
}
