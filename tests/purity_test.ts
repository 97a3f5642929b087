/** The rules that keep the sources what docs/architecture.md says they are. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "./support/server.ts";

/** What runs: the library and the programs. */
const ENTRIES = ["mod.ts", "cli.ts", "server.ts", "client.ts"].filter((file) =>
  existsSync(join(ROOT, file))
);
const MOST_LINES = 300;
const MOST_IN_A_FOLDER = 14;
/** Folders that are over that already: they may shrink, and never grow. */
const FULLER: Readonly<Record<string, number>> = {
  "src": 20,
};
const MOST_FILES = 257;

/** The folders of src that the files of each may reach, besides their own. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  transport: [],
  policy: ["transport"],
  table: ["policy", "transport"],
  handshake: ["policy", "table", "transport"],
  services: ["handshake", "policy", "table", "transport"],
  bind: ["policy", "table", "transport"],
  tls: ["handshake", "policy", "table", "transport"],
  admin: ["bind", "policy", "status", "table", "transport"],
  status: ["policy", "table", "transport"],
  control: ["bind", "policy", "status", "table", "transport"],
  library: [
    "bind",
    "handshake",
    "policy",
    "services",
    "table",
    "tls",
    "transport",
  ],
  cli: [
    "admin",
    "bind",
    "control",
    "handshake",
    "library",
    "policy",
    "services",
    "status",
    "table",
    "tls",
    "transport",
  ],
};
/** What stands at the head of all else: whoever reaches it is above it. */
const HEADS = ["src/serve.ts", "src/server.ts", "src/session.ts"];
const ABOVE =
  /^(mod|cli|server|client)\.ts$|^src\/((cli|library)\/.*|lib|serve|server)\.ts$/;

/** What a module may make once for all: none of it ever changes. */
const CONSTANTS = [
  "Access",
  "CertificateList",
  "RegExp",
  "TcpmuxError",
  "TextDecoder",
  "TextEncoder",
];
/** Members of Node and Bun that are not documented. */
const UNDOCUMENTED =
  /\b(_handle|onconnection|readStop|resetAndClosing|_(readable|writable)State)\b/;
/** What npm run generate writes may be longer. */
const GENERATED = ["src/table/input.ts"];

interface Import {
  readonly specifier: string;
  /** If it is a file of ours. */
  readonly path: string | undefined;
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

function importsOf(file: string): readonly Import[] {
  const known = imports.get(file) ?? readImports(file);
  imports.set(file, known);
  return known;
}

/** What has been read of them, since the tests ask again and again. */
const imports = new Map<string, readonly Import[]>();

function readImports(file: string): Import[] {
  const source = sources.get(file)!;
  const found: Import[] = [];
  const fixed = /^(?:import|export)\s+(type\s)?([^;"]*?from\s*)?"([^"]+)"/gm;
  for (const [, type, names = "", specifier] of source.matchAll(fixed)) {
    const listed = /\{([^}]*)\}/.exec(names)?.[1]?.split(",") ?? [""];
    const onlyTypes = listed.every((name) =>
      /^\s*(type\s|$)/.test(name) && names.includes("{")
    );
    found.push({
      ...named(file, specifier!),
      dynamic: false,
      type: type !== undefined || onlyTypes,
    });
  }
  for (const [, specifier] of source.matchAll(/\bimport\(\s*"([^"]+)"/g)) {
    found.push({ ...named(file, specifier!), dynamic: true, type: false });
  }
  return found;
}

/** What a file imports by that name. */
function named(file: string, specifier: string) {
  const path = relative(ROOT, join(ROOT, dirname(file), specifier));
  const isOurs = specifier.startsWith(".") && sources.has(path);
  return { specifier, path: isOurs ? path : undefined };
}

/** The statements that stand at the beginning of a line, each with its place. */
function statements(file: string): { place: string; text: string }[] {
  const found: { place: string; text: string }[] = [];
  sources.get(file)!.split("\n").forEach((line, index) => {
    // The formatter has what belongs to a statement begin with a blank, a
    // bracket or a backtick's text.
    if (/^[a-z@]/i.test(line)) {
      found.push({ place: `${file}:${index + 1}`, text: line });
    } else if (found.length > 0) found.at(-1)!.text += `\n${line}`;
  });
  return found;
}

/** The part of a module's constant that runs when the module is loaded. */
function runsAtOnce(text: string): string {
  const end = text.search(/=>|\bfunction\b/);
  return end < 0 ? text : text.slice(0, end);
}

/** The names of a module's own constants that are objects or lists. */
function constants(file: string): string[] {
  return statements(file).flatMap(({ text }) =>
    /^(?:export )?const (\w+)\b/.exec(text)?.[1] ?? []
  );
}

/** What changes an object of that name. */
function changes(name: string): RegExp {
  const methods = "add|clear|copyWithin|delete|fill|pop|push|reverse|set|" +
    "shift|sort|splice|unshift";
  // A sticky RegExp is told where to look before each use.
  const member = "(?:\\.(?!lastIndex\\b)\\w+|\\[[^\\]]+\\])";
  const free = `(?<![\\w.#"'])${name}`;
  return new RegExp(
    `${free}${member}*\\.(?:${methods})\\(|` +
      `${free}${member}+ (?:[-+*/|&?]{0,2})=(?![=>])|` +
      `${free}${member}+(?:\\+\\+|--)|` +
      `\\bdelete ${name}${member}|` +
      `\\bObject\\.(?:assign|defineProperty)\\(${name}\\b`,
  );
}

/** The folder of src that a file belongs to, or undefined for src itself. */
function folderOf(file: string): string | undefined {
  return /^src\/(\w+)\//.exec(file)?.[1];
}

/** The files of ours that a file imports. */
function ours(file: string, which: (of: Import) => boolean): string[] {
  return importsOf(file).filter(which)
    .flatMap(({ path }) => path === undefined ? [] : [path]);
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
    assert(importsOf("src/lib.ts").length > 8);
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
    assertEquals(linesWith(/\bdeclare const (Deno|Bun)\b/, elsewhere), []);
    assert(linesWith(/\bdeclare const (Deno|Bun)\b/, files).length > 4);
  });

  test("name undocumented members of a runtime in internals.ts alone", () => {
    const isInternal = (file: string) => file.endsWith("/internals.ts");
    const elsewhere = [...sources.keys()].filter((file) => !isInternal(file));
    assertEquals(linesWith(UNDOCUMENTED, elsewhere), []);
    assert(linesWith(UNDOCUMENTED, files).length > 4);
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

  test("have no cycles of types either", () => {
    const cycles = files.filter((file) => {
      const others = ours(file, ({ dynamic }) => !dynamic);
      return reachable(others, ({ dynamic }) => !dynamic).has(file);
    });
    assertEquals(cycles, []);
  });

  test("have folders without rings", () => {
    const rings: string[] = [];
    const folders = new Set(files.map((file) => dirname(file)));
    folders.delete("src");
    for (const folder of folders) {
      const isInside = (file: string) => file.startsWith(`${folder}/`);
      const outside = files.filter((file) => !isInside(file));
      const users = outside.filter((file) =>
        ours(file, () => true).some((used) => dirname(used) === folder)
      );
      for (const file of files.filter((file) => dirname(file) === folder)) {
        const left = ours(file, () => true).filter((used) => !isInside(used));
        const reached = reachable(left, () => true);
        rings.push(
          ...users.filter((user) => reached.has(user))
            .map((user) => `${file} > ${user} > ${folder}`),
        );
      }
    }
    assertEquals(rings, []);
  });

  test("have arrows one way", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const folder = folderOf(file);
      const reached = reachable([file], ({ dynamic }) => !dynamic);
      if (folder !== undefined) {
        const allowed = [folder, ...ARROWS[folder] ?? []];
        for (const other of reached) {
          const to = folderOf(other);
          if (to !== undefined && !allowed.includes(to)) {
            wrong.push(`${file} > ${other}`);
          }
        }
      }
      if (ABOVE.test(file)) continue;
      const heads = HEADS.filter((head) => head !== file && reached.has(head));
      wrong.push(...heads.map((head) => `${file} > ${head}`));
    }
    assertEquals(wrong, []);
    assertEquals(
      [...new Set(files.map(folderOf))].filter((name) => name !== undefined)
        .toSorted(),
      Object.keys(ARROWS).toSorted(),
    );
  });

  test("have no state of a module's own", () => {
    assertEquals(stateIn([...sources.keys()]), []);
    assertEquals(linesWith(/\bglobalThis(\.\w+|\[.*\]) =[^=]/, files), []);
  });

  test("have no state of a class's own", () => {
    const own =
      /^ +static (?!readonly )#?\w+(\?|!)?(: [^=(]+)? =|^ +static (?!readonly )#?\w+(: [^=(]+)?;$/;
    assertEquals(linesWith(own, files), []);
    const held = /^ +static readonly #?\w+(: [^=(]+)? = (new |\[|\{)/;
    assertEquals(linesWith(held, files), []);
  });

  test("change no constant of a module, their own or another's", () => {
    const changed = [...sources.keys()].flatMap((file) =>
      constants(file).flatMap((name) => {
        const users = [...sources.keys()].filter((other) =>
          other === file || ours(other, () => true).includes(file)
        );
        return linesWith(changes(name), users)
          .filter((line) =>
            !new RegExp(`^[^:]+:\\d+: const ${name}\\b`).test(line)
          );
      })
    );
    assertEquals(changed, []);
  });

  test("import by full names, with .ts", () => {
    const wrong = [...sources.keys()].flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => specifier)
        .filter((name) => name.startsWith("."))
        .filter((name) => !/\.(ts|json|toml|md|html|css|js)$/.test(name))
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
    const packages =
      /^(@std\/\w+|@logtape\/logtape|asn1js|prom-client|valibot)$/;
    const others = [...sources.keys()].flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => specifier)
        .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
        .filter((name) => !packages.test(name))
        .map((name) => `${file}: ${name}`)
    );
    assertEquals(others, []);
  });

  test("take process as a global: importing it opens streams on Node", () => {
    const importing = [...sources.keys()].filter((file) =>
      importsOf(file).some(({ specifier }) => specifier === "node:process")
    );
    assertEquals(importing, []);
  });

  test("import modules of a runtime by names that a bundler can read", () => {
    const unknown = linesWith(/\bimport\((?!\s*(["'])[^"']+\1|\s*$)/, [
      ...sources.keys(),
    ]);
    assertEquals(unknown, []);
    const picked = importsOf("src/transport/pick.ts")
      .filter(({ dynamic }) => dynamic)
      .map(({ specifier }) => specifier);
    assertEquals(
      picked.toSorted(),
      ["bun", "deno", "node"].map((name) => `./${name}/transport.ts`),
    );
  });

  test("are all in use", () => {
    const used = reachable(ENTRIES, () => true);
    assertEquals(files.filter((file) => !used.has(file)), []);
  });

  test(`have at most ${MOST_LINES} lines`, () => {
    const long = [...sources]
      .filter(([file]) => !GENERATED.includes(file))
      .map(([file, source]) => ({ file, lines: source.split("\n").length - 1 }))
      .filter(({ lines }) => lines > MOST_LINES);
    assertEquals(long, []);
  });

  test(`are at most ${MOST_IN_A_FOLDER} in a folder, ${MOST_FILES} in all`, () => {
    const counts: Record<string, number> = {};
    for (const file of files) {
      counts[dirname(file)] = (counts[dirname(file)] ?? 0) + 1;
    }
    const full = Object.entries(counts)
      .filter(([name, count]) => count > (FULLER[name] ?? MOST_IN_A_FOLDER));
    assertEquals(full, []);
    assert(files.length <= MOST_FILES, `${files.length} files`);
  });

  test("export no name twice", () => {
    const exported =
      /^export (?:abstract |async |declare )*(?:class|const|enum|function\*?|interface|type) (\w+)/gm;
    const places = new Map<string, string[]>();
    for (const [file, source] of sources) {
      const names = [...source.matchAll(exported)].map(([, name]) => name!);
      for (const name of new Set(names)) {
        places.set(name, [...places.get(name) ?? [], file]);
      }
    }
    const twice = [...places].filter(([, files]) => files.length > 1)
      .map(([name]) => name);
    assertEquals(twice, []);
  });
});

/** What is made once for all, and can change. */
function stateIn(which: readonly string[]): string[] {
  return which.flatMap((file) => statements(file).filter(isState))
    .map(({ place, text }) => `${place}: ${text.split("\n")[0]}`);
}

function isState({ text }: { text: string }): boolean {
  if (/^(export )?(let|var)\b/.test(text)) return true;
  if (!/^(export )?(default |const )/.test(text)) return false;
  const made = [...runsAtOnce(text).matchAll(/\bnew (\w+)(?:<.*>)?\(([^)]*)/g)];
  return made.some(([, name, words]) =>
    !CONSTANTS.includes(name!) && !(name === "Uint8Array" && words === "0")
  );
}

describe("the rules themselves", () => {
  const states = [
    "let count = 0;",
    "export let count = 0;",
    "var count;",
    "const seen = new Set();",
    "const seen = new Set<string>();",
    "export const seen: Set<string> = new Set<string>();",
    "const seen: Map<string, readonly string[]> =\n  new Map(LIST);",
    "const cache = { known: new WeakMap() };",
    "const list = new Array(3);",
    "const buffer = new Uint8Array(64);",
    "const queue = new PushedListener();",
    "export default new Limits();",
  ];
  for (const text of states) {
    test(`see state in ${JSON.stringify(text)}`, () =>
      assert(isState({ text })));
  }
  const constant = [
    "const NOTHING = new Uint8Array(0);",
    "const encoder = new TextEncoder();",
    "export const NOBODY = new Access([], ANY);",
    'const OVER = new TcpmuxError("closed", "it is over");',
    "const make = () => new Map();",
    "export function make() {\n  return new Map();\n}",
    "export class Held {\n  #seen = new Set();\n}",
  ];
  for (const text of constant) {
    test(`see none in ${JSON.stringify(text)}`, () =>
      assert(!isState({ text })));
  }

  for (
    const text of [
      "SIZES.push(3);",
      "SIZES[0] = 3;",
      "SIZES.first ??= 3;",
      "SIZES.count++;",
      "SIZES.of.set(1, 2);",
      "delete SIZES.first;",
      "Object.assign(SIZES, {});",
    ]
  ) {
    test(`see a change in ${text}`, () => assert(changes("SIZES").test(text)));
  }
  for (
    const text of [
      "if (SIZES[0] === 3) return;",
      "SIZES.map((size) => size);",
      "this.SIZES.push(3);",
      "const next = SIZES[0] <= 3;",
    ]
  ) {
    test(`see none in ${text}`, () => assert(!changes("SIZES").test(text)));
  }
});

describe("the admin listener", () => {
  const fromStart = reachable(
    ENTRIES,
    ({ dynamic, type }) => !dynamic && !type,
  );

  test("is loaded by who wants it alone, and prom-client with it", () => {
    assert(fromStart.has("src/cli/exit.ts"));
    assertEquals([...fromStart].filter((f) => f.startsWith("src/admin/")), []);
    const users = [...sources.keys()].filter((file) =>
      !file.startsWith("src/admin/") &&
      ours(file, ({ type }) => !type).some((used) =>
        used.startsWith("src/admin/")
      )
    );
    assertEquals(users, ["src/cli/daemon/companions.ts"]);
    const metrics = [...sources.keys()].filter((file) =>
      importsOf(file).some(({ specifier }) => specifier === "prom-client")
    );
    assertEquals(metrics, ["src/admin/metrics.ts"]);
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
