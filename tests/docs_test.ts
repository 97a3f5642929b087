/** Every example in TypeScript in the documents runs. */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { freePorts, here } from "./support/reader.ts";
import { ROOT } from "./support/server.ts";

/** Milliseconds that an example may take: all of them end by themselves. */
const TIMEOUT = 20_000;

interface Example {
  readonly name: string;
  readonly code: string;
}

describe("the example in", () => {
  for (const { name, code } of examples()) {
    test(name, () => run(code));
  }
});

test("examples are found", () => {
  assert(examples().some(({ name }) => name.startsWith("src/serve.ts")));
  const found = extract("x", "a\n```ts\n1\n```\n * ```ts ignore\n * 2\n * ```");
  assertEquals(found, [{ name: "x, line 2", code: "1\n" }]);
});

function examples(): Example[] {
  return ["README.md", "docs/library.md", "src/lib.ts", ...documented()]
    .flatMap((file) => {
      const path = join(ROOT, file);
      return existsSync(path) ? extract(file, readFileSync(path, "utf8")) : [];
    });
}

/** The files that the library exports from. */
function documented(): string[] {
  const source = readFileSync(join(ROOT, "src/lib.ts"), "utf8");
  return [...source.matchAll(/ from "\.\/(.+?)"/g)]
    .map(([, file]) => join("src", file!));
}

/** The blocks marked `ts`, in Markdown or in a JSDoc comment. */
function extract(file: string, text: string): Example[] {
  const examples: Example[] = [];
  let code: string | undefined;
  let start = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const bare = line.replace(/^\s*\* ?/, "");
    if (code === undefined && bare === "```ts") {
      [code, start] = ["", index + 1];
    } else if (code !== undefined && bare === "```") {
      examples.push({ name: `${file}, line ${start}`, code });
      code = undefined;
    } else if (code !== undefined) code += `${bare}\n`;
  }
  return examples;
}

/** Beside the tests, where imports of packages resolve as in the project. */
async function run(code: string): Promise<void> {
  const folder = mkdtempSync(join(ROOT, "tests", "tmp-example-"));
  try {
    const file = join(folder, "example.ts");
    writeFileSync(
      file,
      here(code, await freePorts("1079"))
        .replaceAll(/(["'])(?:\.\/mod\.ts|tcpmux)\1/g, '"../../mod.ts"'),
    );
    const { error, output } = await finished(words(file));
    assert(error === null, `${error?.message}\n${output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function words(file: string): string[] {
  if ("Deno" in globalThis) return ["run", "-A", "--no-lock", file];
  return "Bun" in globalThis ? ["--no-env-file", "run", file] : [file];
}

function finished(
  args: string[],
): Promise<{ error: Error | null; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, {
      cwd: ROOT,
      timeout: TIMEOUT,
      killSignal: "SIGKILL",
    }, (error, stdout, stderr) => resolve({ error, output: stdout + stderr }));
  });
}
