/** What scripts/runtimes.mjs installs, in a clone that needs no package. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { systemNode } from "../scripts/runtimes.mjs";
import { runCommand } from "./support/command.ts";
import { needs } from "./support/needs.ts";
import { ROOT } from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-install-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A clone of that name, without its packages. */
function clone(name: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, "scripts"), { recursive: true });
  const script = join("scripts", "runtimes.mjs");
  copyFileSync(join(ROOT, script), join(path, script));
  const manifest = { name, version: "1.0.0" };
  writeFileSync(join(path, "package.json"), JSON.stringify(manifest));
  const lock = { ...manifest, lockfileVersion: 3, packages: { "": manifest } };
  writeFileSync(join(path, "package-lock.json"), JSON.stringify(lock));
  return path;
}

/** @returns what it says */
async function install(clone: string): Promise<string> {
  const url = JSON.stringify(join(clone, "scripts", "runtimes.mjs"));
  const program = `(await import(${url})).install();`;
  const node = systemNode();
  const { code, out, err } = await runCommand(
    [node, "--input-type=module", "--eval", program],
    { cwd: clone },
  );
  assertEquals(code, 0, out + err);
  return out;
}

const once = "Bun" in globalThis
  ? needs("npm")
  : { skip: "the same on each runtime" };

describe("install", once, () => {
  test("runs npm ci once", async () => {
    const own = clone("own");
    assertMatch(await install(own), /^npm ci/);
    mkdirSync(join(own, "node_modules"), { recursive: true });
    writeFileSync(join(own, "node_modules", ".package-lock.json"), "{}");
    assertEquals(await install(own), "");
  });

  test("leaves alone what a symbolic link leads to", async () => {
    const linked = clone("linked");
    const modules = join(folder, "modules of another clone");
    mkdirSync(join(modules, "package"), { recursive: true });
    symlinkSync(modules, join(linked, "node_modules"));
    assertMatch(await install(linked), /^node_modules is a symbolic link: /);
    assertEquals(readdirSync(modules), ["package"]);
    rmSync(modules, { recursive: true });
    assertMatch(await install(linked), /^node_modules is a symbolic link: /);
    assert(!existsSync(modules));
  });
});
