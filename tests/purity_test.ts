/** The rules that keep the sources what DESIGN says they are. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "./support/server.ts";

/** What runs: the library and the programs. */
const ENTRIES = ["mod.ts", "server.ts", "client.ts"].filter((file) =>
  existsSync(join(ROOT, file))
);
const MOST_LINES = 320;

interface Import {
  readonly specifier: string;
  readonly dynamic: boolean;
  /** Types are gone when the program runs. */
  readonly type: boolean;
}

const files = readdirSync(join(ROOT, "src"), { recursive: true })
  .map((file) => join("src", String(file)))
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
const sources = new Map(
  [...ENTRIES, ...files].map((file) => [file, code(file)]),
);

/** The source without its comments, which may say what they like. */
function code(file: string): string {
  return readFileSync(join(ROOT, file), "utf8")
    .replaceAll(/\/\*[^]*?\*\//g, (text) => text.replaceAll(/[^\n]/g, ""))
    .replaceAll(/(^|[\s;{}(,])\/\/.*$/gm, "$1");
}

function importsOf(file: string): Import[] {
  const source = sources.get(file)!;
  const found: Import[] = [];
  const fixed = /^(?:import|export)\s+(type\s)?([^;"]*?from\s*)?"([^"]+)"/gm;
  for (const [, type, names = "", specifier] of source.matchAll(fixed)) {
    const listed = /\{([^}]*)\}/.exec(names)?.[1]?.split(",") ?? [""];
    const onlyTypes = listed.every((name) =>
      /^\s*(type\s|$)/.test(name) && names.includes("{")
    );
    found.push({
      specifier: specifier!,
      dynamic: false,
      type: type !== undefined || onlyTypes,
    });
  }
  for (const [, specifier] of source.matchAll(/\bimport\(\s*"([^"]+)"/g)) {
    found.push({ specifier: specifier!, dynamic: true, type: false });
  }
  return found;
}

/** The files of ours that a file imports. */
function ours(file: string, which: (of: Import) => boolean): string[] {
  return importsOf(file)
    .filter((of) => of.specifier.startsWith(".") && which(of))
    .map(({ specifier }) =>
      relative(ROOT, join(ROOT, dirname(file), specifier))
    )
    .filter((path) => sources.has(path));
}

function reachable(
  from: readonly string[],
  which: (of: Import) => boolean,
): Set<string> {
  const seen = new Set<string>(from);
  for (const file of seen) {
    for (const next of ours(file, which)) seen.add(next);
  }
  return seen;
}

/** The lines that match, each with its place. */
function linesWith(pattern: RegExp, which: Iterable<string>): string[] {
  return [...which].flatMap((file) =>
    sources.get(file)!.split("\n").flatMap((line, index) =>
      pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []
    )
  );
}

describe("the sources", () => {
  test("are found, and so are their imports", () => {
    assert(files.length > 40, `${files.length} files`);
    assert(importsOf("mod.ts").length > 8);
    assert(importsOf("src/transport/pick.ts").some(({ dynamic }) => dynamic));
    assert(importsOf("src/session.ts").some(({ type }) => type));
    assert(importsOf("src/session.ts").some(({ type }) => !type));
  });

  test("name a runtime's globals in src/transport alone", () => {
    const elsewhere = [...sources.keys()].filter((file) =>
      !file.startsWith("src/transport/")
    );
    assertEquals(linesWith(/\b(Deno|Bun)\s*[.[]/, elsewhere), []);
    assertEquals(linesWith(/["'`](Deno|Bun)["'`]/, elsewhere), []);
  });

  test("have no cycles", () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" > "));
      } else if (!done.has(file)) {
        for (
          const next of ours(file, ({ dynamic }) => !dynamic)
        ) {
          visit(next, [...path, file]);
        }
        done.add(file);
      }
    };
    for (const file of sources.keys()) visit(file, []);
    assertEquals(cycles, []);
  });

  test("have no state of a module's own", () => {
    assertEquals(linesWith(/^(export )?(let|var)\b/, sources.keys()), []);
    const container =
      /^(export )?const \w+(: [^=]+)? = new (Map|Set|WeakMap)\(\)/;
    assertEquals(linesWith(container, sources.keys()), []);
  });

  test("import by full names, with .ts", () => {
    const wrong = [...sources.keys()].flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => specifier)
        .filter((name) => name.startsWith("."))
        .filter((name) => !/\.(ts|json|toml)$/.test(name))
        .map((name) => `${file}: ${name}`)
    );
    assertEquals(wrong, []);
    const missing = [...sources.keys()].flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => join(ROOT, dirname(file), specifier))
        .filter((path) => !existsSync(path))
    );
    assertEquals(missing, []);
  });

  test("import built-in modules as node:", () => {
    const packages = /^(@std\/\w+|@logtape\/logtape|zod|prom-client)$/;
    const others = [...sources.keys()].flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => specifier)
        .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
        .filter((name) => !packages.test(name))
        .map((name) => `${file}: ${name}`)
    );
    assertEquals(others, []);
  });

  test("import modules of a runtime by names that a bundler can read", () => {
    const unknown = linesWith(/\bimport\((?!\s*(["'])[^"']+\1|\s*$)/, [
      ...sources.keys(),
    ]);
    assertEquals(unknown, []);
    const picked = importsOf("src/transport/pick.ts")
      .filter(({ dynamic }) => dynamic)
      .map(({ specifier }) => specifier);
    assertEquals(picked.toSorted(), ["./bun.ts", "./deno.ts", "./node.ts"]);
  });

  test("are all in use", () => {
    const used = reachable(ENTRIES, () => true);
    assertEquals(files.filter((file) => !used.has(file)), []);
  });

  test(`have at most ${MOST_LINES} lines`, () => {
    const long = [...sources]
      .map(([file, source]) => ({ file, lines: source.split("\n").length }))
      .filter(({ lines }) => lines > MOST_LINES);
    assertEquals(long, []);
  });
});

describe("the library", () => {
  test("does not bring the command line along", () => {
    const library = reachable(["mod.ts"], ({ dynamic }) => !dynamic);
    assert(library.has("src/session.ts"));
    assertEquals([...library].filter((file) => /\/cli\//.test(file)), []);
  });

  test("can be imported with no permission but the network", {
    skip: "Deno" in globalThis ? false : "Deno alone asks",
  }, async () => {
    const url = new URL("../mod.ts", import.meta.url);
    const args = ["run", "--allow-net", "--no-prompt", "--no-lock", "-"];
    const output = await new Promise<string>((resolve, reject) => {
      const child = execFile(
        process.execPath,
        args,
        { cwd: ROOT, timeout: 60_000 },
        (error, stdout) => error ? reject(error) : resolve(stdout),
      );
      child.stdin!.end(
        `import * as library from "${url}";
        await using server = await library.serve({
          server: { listen: "127.0.0.1:0" }, services: {} });
        console.log(typeof library.serve, server.addresses.length);`,
      );
    });
    assertEquals(output.trim(), "function 1");
  });
});
