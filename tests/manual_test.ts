/** The manual pages are well-formed, and leave out nothing that there is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../src/cli/spec.ts";
import {
  type CommandSpec,
  EXIT_CODES,
  PROBE_STATES,
} from "../src/cli/spec/parts.ts";
import { forwardSchema, settingsSchema } from "../src/table/forwards.ts";
import { parseTable } from "../src/table/parse.ts";
import { commonSchema, KIND_KEYS, kindSchemas } from "../src/table/schema.ts";
import { serverSchema } from "../src/table/server_schema.ts";
import { findProgram, needs } from "./support/needs.ts";
import { run } from "./support/run.ts";
import { ROOT } from "./support/server.ts";

const PAGES = ["tcpmux.1", "services.toml.5"];
const page = (name: string) => readFileSync(join(ROOT, "docs", name), "utf8");
const COMMAND = page("tcpmux.1");
const TABLE = page("services.toml.5");

/** What stands between this heading and the next of its kind. */
function part(text: string, heading: string): string {
  const start = text.indexOf(`\n${heading}\n`);
  assert(start >= 0, `there is no ${heading}`);
  const rest = text.slice(start + heading.length + 2);
  return rest.slice(0, /^\.S[hs] /m.exec(rest)?.index ?? rest.length);
}

/** The commands that check a page, each with what is in its way. */
const CHECKERS: [string, string[]][] = [
  ["groff", ["groff", "-mandoc", "-ww", "-Tutf8", "-z"]],
  ["man", ["man", "--warnings=w", "-l"]],
  ["mandoc", ["mandoc", "-Tlint", "-Wwarning"]],
];

for (const [program, command] of CHECKERS) {
  if (program === "mandoc" && findProgram(program) === undefined) continue;
  describe(`${program} renders`, needs(program), () => {
    for (const name of PAGES) {
      test(`${name} without a warning`, async () => {
        const { code, stderr } = await run([
          ...command,
          join(ROOT, "docs", name),
        ]);
        assertEquals([code, stderr], [0, ""]);
      });
    }

    test("a page that is wrong with one", async () => {
      const folder = mkdtempSync(join(tmpdir(), "tcpmux-manual-"));
      try {
        const file = join(folder, "wrong.1");
        writeFileSync(file, `${COMMAND}.Nonsense\n.Bl -tag\n`);
        const { code, stdout, stderr } = await run([...command, file]);
        assert(code !== 0 || stderr !== "" || /ERROR/.test(String(stdout)));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
}

describe("tcpmux(1)", () => {
  test("has the sections of such a page", () => {
    const sections = [...COMMAND.matchAll(/^\.Sh (.*)$/gm)].map(([, name]) =>
      name
    );
    assertEquals(sections, [
      ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "ENVIRONMENT"],
      ...["FILES", "SIGNALS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"],
    ]);
  });

  test("has a part for each command", () => {
    const parts = [...COMMAND.matchAll(/^\.Ss tcpmux (\w+)$/gm)].map(
      ([, name]) => name!,
    );
    assertEquals(parts, COMMANDS.map(({ name }) => name));
    const synopsis = part(COMMAND, ".Sh SYNOPSIS");
    for (const command of parts) {
      assertMatch(synopsis, new RegExp(`\\bCm ${command}$`, "m"));
    }
  });

  for (const command of COMMANDS as readonly CommandSpec[]) {
    const { name, positionals, flags } = command;
    test(`names the arguments and flags of ${name}, and no others`, () => {
      const items = part(COMMAND, `.Ss tcpmux ${name}`).split("\n")
        .filter((line) => line.startsWith(".It "));
      const argument = (name: string) => `.It Ar ${name.toLowerCase()}`;
      assertEquals(items, [
        ...positionals.map(({ name }) => argument(name)),
        ...Object.entries(flags).map(([long, { short, value }]) => {
          const letter = short === undefined ? "" : ` Fl ${short} ,`;
          const name = value === undefined
            ? ""
            : ` Ar ${value.name.toLowerCase()}`;
          return `.It${letter} Fl -${long}${name}`;
        }),
      ]);
    });
  }

  test("names the exit codes", () => {
    const codes = [
      ...part(COMMAND, ".Sh EXIT STATUS").matchAll(/^\.It (\d+)/gm),
    ]
      .map(([, code]) => Number(code));
    const all = [...Object.values(EXIT_CODES), ...Object.values(PROBE_STATES)];
    assertEquals(codes, all.map(({ code }) => code));
  });

  test("has the examples of all commands", () => {
    const lines = part(COMMAND, ".Sh EXAMPLES").replaceAll("\\e", "\\")
      .replaceAll("\\(dq", '"').replaceAll(/^\\&/gm, "").split("\n");
    for (const { examples } of COMMANDS as readonly CommandSpec[]) {
      for (const line of examples.flatMap(({ lines }) => lines)) {
        assert(lines.includes(line), line);
      }
    }
  });
});

/** The keys that the page describes in a part, in its order. */
function items(heading: string): string[] {
  return [...part(TABLE, `.Ss ${heading}`).matchAll(/^\.It Ic (\w+)$/gm)]
    .map(([, key]) => key!);
}

/** The keys of a schema without those of another. */
function keysOf(
  { entries }: { entries: object },
  without: { entries: object } = { entries: {} },
): string[] {
  return Object.keys(entries).filter((key) => !(key in without.entries));
}

describe("services.toml(5)", () => {
  const { penalties, tls, log } = serverSchema.entries;
  const { rlimits } = kindSchemas.exec.entries;
  const { builtin, exec, connect, tcpmux, text } = kindSchemas;
  const parts: [string, string[]][] = [
    ["[server]", keysOf(serverSchema)],
    ["[server.penalties]", keysOf(penalties.wrapped)],
    ["[server.tls]", keysOf(tls.wrapped)],
    ["[server.log]", keysOf(log.wrapped)],
    ["All services", keysOf(commonSchema)],
    ["Built-in services", keysOf(builtin, commonSchema)],
    ["Programs", keysOf(exec, commonSchema)],
    ["rlimits of programs", keysOf(rlimits.wrapped)],
    ["Other servers", keysOf(connect, commonSchema)],
    ["Services of other TCPMUX servers", keysOf(tcpmux, commonSchema)],
    ["Fixed answers", keysOf(text, commonSchema)],
    ["[forward.NAME]", keysOf(forwardSchema)],
    ["[server] of forwards", keysOf(settingsSchema)],
  ];
  for (const [heading, keys] of parts) {
    test(`describes each key of ${heading}`, () => {
      assertEquals(items(heading), keys);
    });
  }

  test("describes every kind", () => {
    assertEquals(KIND_KEYS, ["builtin", "exec", "connect", "tcpmux", "text"]);
    assertEquals([...TABLE.matchAll(/^\.Bl -tag -width Ds$/gm)].length, 16);
  });

  test("has an example that is a table", () => {
    const [, example] = /^\.Bd[^\n]*\n([^]*?)^\.Ed/m.exec(
      part(TABLE, ".Sh EXAMPLES"),
    )!;
    assertEquals(parseTable(example!, "the example").services.length, 3);
  });
});
