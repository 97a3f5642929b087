/** What whoever has Deno alone can do with a clone, and what JSR would get. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { cloneTo } from "./support/clone.ts";
import { type Result, runCommand } from "./support/command.ts";
import { ROOT } from "./support/server.ts";

const once = { skip: "Deno" in globalThis ? false : "Deno alone has them" };
const folder = mkdtempSync(join(tmpdir(), "tcpmux-deno-"));
const clone = join(folder, "clone");
const bin = join(folder, "bin");
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs Deno in a fresh clone, where there is no other runtime and no npm. */
async function deno(...words: string[]): Promise<Result> {
  const result = await runCommand([join(bin, "deno"), ...words], {
    cwd: clone,
    env: { PATH: bin, DENORT_BIN: "/bin/true", NO_COLOR: "1" },
  });
  assertEquals(result.code, 0, `${words}: ${result.out}${result.err}`);
  return result;
}

describe("with Deno alone", once, () => {
  before(() => {
    if (once.skip !== false) return;
    cloneTo(clone);
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "deno"));
  });

  test("deno task start runs the program, and downloads no runtime", async () => {
    const { out, err } = await deno("task", "start", "--version");
    assertMatch(out, /^tcpmux \d/);
    assert(!/\b(bun|deno|node-linux|typescript)@/.test(err), err);
    assert(!existsSync(join(clone, "node_modules")));
  });

  test("deno task test runs test files", async () => {
    const { tasks } = JSON.parse(
      readFileSync(join(clone, "deno.json"), "utf8"),
    );
    const words = tasks.test.split(" ");
    assertEquals([words.shift(), words.pop()], ["deno", "tests"]);
    await deno(...words, "tests/wire_test.ts");
  });

  // Its base binary can be downloaded on few machines, so another one stands
  // in for it: what is embedded is the same.
  test("deno task compile embeds one small file", async () => {
    await deno("task", "compile");
    const binary = join(clone, "dist", "tcpmux-deno");
    const own = statSync("/bin/true").size;
    assert(statSync(binary).size - own < 1.8e6);
    const embedded = readFileSync(binary);
    assert(embedded.includes("Sends back what it gets (RFC 862)"));
  });

  test("all that is public is documented, and shows nothing else", async () => {
    const { exports } = JSON.parse(
      readFileSync(join(clone, "deno.json"), "utf8"),
    );
    await deno("doc", "--lint", "mod.ts", ...Object.values<string>(exports));
  });

  test("JSR gets the library and the program, and no test", async () => {
    // It fails where a type must be inferred ("slow types"): no flag allows it.
    const { out, err } = await deno("publish", "--dry-run", "--allow-dirty");
    const said = out + err;
    assertMatch(said, /Dry run complete/);
    assertMatch(said, /src\/lib\.ts/);
    assertMatch(said, /THIRD_PARTY\.md/);
    assert(!/warning|clone\/(tests|scripts|bench)\//.test(said), said);
  });
});

test("the packages are one, for npm and for JSR", () => {
  const [npm, jsr] = ["package.json", "deno.json"].map((file) =>
    JSON.parse(readFileSync(join(ROOT, file), "utf8"))
  );
  assertEquals(npm.version, jsr.version);
  assertEquals(npm.private, true); // nobody publishes it by accident
  for (const [name, range] of Object.entries(npm.dependencies)) {
    const pinned = jsr.imports[name].split("@").at(-1);
    assertEquals(range, `^${pinned}`);
  }
});
