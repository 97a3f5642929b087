/** The manual pages are well-formed, and leave out nothing that there is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { EXIT } from "../src/cli/exit.ts";
import { readFlags } from "../src/cli/flags.ts";
import { type Command, FLAG_SPECS } from "../src/cli/flag_specs.ts";
import { forwardSchema, settingsSchema } from "../src/table/forwards.ts";
import { parseTable } from "../src/table/parse.ts";
import { jsonSchema, kindSchemas } from "../src/table/schema.ts";
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
    assertEquals(parts.sort(), Object.keys(FLAG_SPECS).sort());
    const synopsis = part(COMMAND, ".Sh SYNOPSIS");
    for (const command of parts) {
      assertMatch(synopsis, new RegExp(`\\bCm ${command}$`, "m"));
    }
  });

  for (const command of Object.keys(FLAG_SPECS) as Command[]) {
    test(`names the flags of ${command}, and no others`, () => {
      const { values, lists = [], switches = [], short = {} } =
        FLAG_SPECS[command];
      const items = part(COMMAND, `.Ss tcpmux ${command}`).split("\n")
        .filter((line) => line.startsWith(".It "));
      const long = items.flatMap((line) =>
        /Fl -([\w-]+)/.exec(line)?.[1] ?? []
      );
      assertEquals(long.sort(), [...values, ...lists, ...switches].sort());
      for (const item of items) {
        const [, letter, name] = /^\.It (?:Fl (\w) , )?Fl -([\w-]+)/.exec(
          item,
        )!;
        const known = Object.keys(short).find((key) => short[key] === name);
        assertEquals(letter, known, `the short form of --${name}`);
        const switched = (switches as readonly string[]).includes(name!);
        assertEquals(!/ Ar /.test(item), switched, `the value of --${name}`);
      }
    });
  }

  test("names the exit codes", () => {
    const codes = [
      ...part(COMMAND, ".Sh EXIT STATUS").matchAll(/^\.It (\d+)/gm),
    ]
      .map(([, code]) => Number(code));
    const interrupted = 130;
    assertEquals(codes, [...Object.values(EXIT), interrupted]);
  });

  test("has examples whose flags there are", () => {
    const lines = part(COMMAND, ".Sh EXAMPLES").replaceAll("\\e", "\\")
      .split("\n").filter((line) => !line.startsWith("."));
    const commands = lines.flatMap((line) =>
      /\btcpmux (\w+) ([^'&)]*(?:'[^']*'[^'&)]*)?)/.exec(line)?.slice(1) ?? []
    );
    assert(commands.length >= 12, lines.join("\n"));
    for (let at = 0; at < commands.length; at += 2) {
      const spec = FLAG_SPECS[commands[at] as Command];
      assert(spec !== undefined, `there is no command ${commands[at]}`);
      readFlags(commands[at + 1]!.trim().split(/\s+/), spec, () => undefined);
    }
  });
});

interface Keys {
  readonly [key: string]: { description?: string; properties?: Keys };
}

/** What the page says of the keys in a part. */
function items(heading: string): Record<string, string> {
  const [, ...found] = part(TABLE, `.Ss ${heading}`).split(/^\.It Ic /m);
  return Object.fromEntries(found.map((item) => {
    const end = item.indexOf("\n");
    return [item.slice(0, end), item.slice(end).replaceAll("\\(dq", '"')];
  }));
}

/** The same keys, and the defaults that the schema tells. */
function assertDescribed(heading: string, keys: Keys): void {
  const found = items(heading);
  assertEquals(Object.keys(found).sort(), Object.keys(keys).sort(), heading);
  for (const [key, { description = "" }] of Object.entries(keys)) {
    const standard = /Default:? ("[^"]*"|\w+)/.exec(description)?.[1];
    if (standard === undefined || standard === "the") continue;
    assert(
      found[key]!.includes(standard),
      `the default of ${key}: ${standard}`,
    );
  }
}

describe("services.toml(5)", () => {
  const { properties } = jsonSchema() as { properties: Keys };
  const server = properties["server"]!.properties!;
  const kinds = (properties["services"] as unknown as {
    additionalProperties: { anyOf: { properties: Keys }[] };
  }).additionalProperties.anyOf.map((kind) => kind.properties);
  const common = Object.keys(kinds[0]!).filter((key) =>
    kinds.every((kind) => key in kind)
  );
  const pick = (keys: Keys, which: (key: string) => boolean): Keys =>
    Object.fromEntries(Object.entries(keys).filter(([key]) => which(key)));

  test("describes the server's keys", () => {
    assertDescribed(
      "[server]",
      pick(server, (key) => server[key]!.properties === undefined),
    );
    for (const [key, { properties }] of Object.entries(server)) {
      if (properties !== undefined) {
        assertDescribed(`[server.${key}]`, properties);
      }
    }
  });

  test("describes the keys of all services", () => {
    assertDescribed(
      "All services",
      pick(kinds[0]!, (key) => common.includes(key)),
    );
  });

  const headings: Record<keyof typeof kindSchemas, string> = {
    builtin: "Services of the server's own",
    exec: "Programs",
    connect: "Other servers",
    tcpmux: "Services of other TCPMUX servers",
    text: "Fixed answers",
  };
  for (const [kind, heading] of Object.entries(headings)) {
    test(`describes the keys of ${kind}`, () => {
      const keys = kinds.find((keys) => kind in keys)!;
      assertDescribed(heading, pick(keys, (key) => !common.includes(key)));
    });
  }

  test("describes every kind", () => {
    assertEquals(Object.keys(headings), Object.keys(kindSchemas));
  });

  test("describes the keys of forwards", () => {
    const keys = (schema: { shape: object }) =>
      Object.keys(schema.shape).sort();
    assertEquals(
      Object.keys(items("[forward.NAME]")).sort(),
      keys(forwardSchema),
    );
    assertEquals(
      Object.keys(items("[server] of forwards")).sort(),
      keys(settingsSchema),
    );
  });

  test("has an example that is a table", () => {
    const [, example] = /^\.Bd[^\n]*\n([^]*?)^\.Ed/m.exec(
      part(TABLE, ".Sh EXAMPLES"),
    )!;
    assertEquals(parseTable(example!, "the example").services.length, 3);
  });
});
