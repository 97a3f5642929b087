/** What `npm pack` makes, installed in an empty project as a user would. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bun, deno, node, systemNode } from "../scripts/runtimes.mjs";
import { cloneTo } from "./support/clone.ts";
import { runCommand } from "./support/command.ts";
import { freePort } from "./support/daemon.ts";
import { ROOT } from "./support/server.ts";

const MODULES = join(ROOT, "node_modules");
const { version } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
);

const APP = `import { connect, formatEndpoint, serve } from "tcpmux";
const server = await serve({
  server: { listen: "127.0.0.1:0" },
  services: {
    hello: async (conn) => {
      await conn.write(new TextEncoder().encode("Hello"));
    },
  },
});
const conn = await connect(formatEndpoint(server.addresses[0]!), "hello");
console.log(new TextDecoder().decode((await conn.read())!));
conn.close();
await server.close();
`;

const RUNTIMES: Record<string, readonly (string | undefined)[]> = {
  "the machine's own Node": [systemNode()],
  "Node 22": [node(22)],
  "Node 26": [node(26)],
  "Bun": [bun],
  "Deno": [deno, "run", "--allow-net", "--no-prompt"],
};

const once = { skip: "Bun" in globalThis ? false : "the same on each runtime" };
const folder = mkdtempSync(join(tmpdir(), "tcpmux-package-"));
const app = join(folder, "app");
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that succeeds, in the app's folder; gives what it says. */
async function succeeds(words: readonly string[]): Promise<string> {
  const { code, out, err } = await runCommand(words, { cwd: app });
  assertEquals(code, 0, `${words.join(" ")}\n${out}${err}`);
  return out;
}

describe("the npm package", once, () => {
  before(async () => {
    if (once.skip !== false) return;
    const clone = join(folder, "clone");
    cloneTo(clone);
    symlinkSync(MODULES, join(clone, "node_modules"));
    mkdirSync(app);
    writeFileSync(join(app, "package.json"), '{ "type": "module" }');
    writeFileSync(join(app, "app.mjs"), APP.replaceAll("!", ""));
    const npm = (...words: string[]) =>
      succeeds(["npm", "--loglevel=error", "--no-audit", ...words]);
    await npm("pack", clone, `--prefix=${clone}`);
    await npm(
      "install",
      `--prefix=${app}`,
      "--prefer-offline",
      `./tcpmux-${version}.tgz`,
    );
  });

  test("brings what it needs, and nothing that only tests need", () => {
    const installed = readdirSync(join(app, "node_modules"));
    assertEquals(
      installed.filter((name) => !name.startsWith(".")).sort(),
      [
        "@logtape",
        "@opentelemetry", // what prom-client brings along
        "asn1js",
        "bintrees",
        "prom-client",
        "pvtsutils", // what asn1js brings along
        "pvutils",
        "tcpmux",
        "tdigest",
        "tslib",
        "valibot",
      ],
    );
    assertEquals(readdirSync(join(app, "node_modules", ".bin")), ["tcpmux"]);
    const files = readdirSync(join(app, "node_modules"), { recursive: true })
      .map((file) => statSync(join(app, "node_modules", String(file))));
    const size = files.reduce((sum, file) => sum + file.size, 0);
    assert(size < 20e6, `${size} bytes`);
  });

  for (const [name, words] of Object.entries(RUNTIMES)) {
    if (words[0] === undefined) continue; // npm has none for this machine
    test(`serves and connects on ${name}`, async () => {
      const out = await succeeds([...words as string[], "app.mjs"]);
      assertEquals(out, "Hello\n");
    });
  }

  const readme = () =>
    readFileSync(join(app, "node_modules", "tcpmux", "README.md"), "utf8");

  test("has the documents and examples that its README leads to", () => {
    const links = [...readme().matchAll(/\]\(((?:docs|examples)\/[^)#]+)/g)];
    assert(links.length > 10);
    for (const [, path] of links) {
      statSync(join(app, "node_modules", "tcpmux", path!));
    }
  });

  test("runs the example of its README as JavaScript", async () => {
    const [, example] = /^```ts\n([^]*?)^```$/m.exec(readme())!;
    const port = await freePort();
    const text = example!.replaceAll("127.0.0.1:1079", `127.0.0.1:${port}`);
    // Also for the compiler, below.
    for (const name of ["demo.mjs", "demo.ts"]) {
      writeFileSync(join(app, name), text);
    }
    for (const words of Object.values(RUNTIMES)) {
      if (words[0] === undefined) continue; // npm has none for this machine
      const out = await succeeds([...words as string[], "demo.mjs"]);
      assertEquals(out, "HELLO\n");
    }
  });

  test("can be required where Node permits it", async () => {
    writeFileSync(
      join(app, "old.cjs"),
      'console.log(typeof require("tcpmux").serve);',
    );
    const out = await succeeds([node(26) ?? bun, "old.cjs"]);
    assertEquals(out, "function\n");
  });

  test("has the program and its manual", async () => {
    const out = await succeeds(
      ["npx", `--prefix=${app}`, "tcpmux", "--version"],
    );
    assertEquals(out, `tcpmux ${version}\n`);
    const own = join(app, "node_modules", "tcpmux");
    const { man } = JSON.parse(
      readFileSync(join(own, "package.json"), "utf8"),
    );
    for (const page of man) {
      assertMatch(readFileSync(join(own, page), "utf8"), /^\.Dt /m);
    }
  });

  test("has types in which the strictest compiler finds nothing", async () => {
    symlinkSync(join(MODULES, "@types"), join(app, "node_modules", "@types"));
    const undici = "undici-types";
    symlinkSync(join(MODULES, undici), join(app, "node_modules", undici));
    writeFileSync(join(app, "app.ts"), APP);
    writeFileSync(
      join(app, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2023",
          types: ["node"],
          noEmit: true,
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noImplicitOverride: true,
          noPropertyAccessFromIndexSignature: true,
          verbatimModuleSyntax: true,
          isolatedModules: true,
        },
        files: ["app.ts", "demo.ts"],
      }),
    );
    await succeeds([join(MODULES, ".bin", "tsc"), "--project", app]);
  });

  test("goes into one file by rollup", async () => {
    writeFileSync(
      join(app, "rolled_in.mjs"),
      APP.replaceAll("!", "").replace(
        '"tcpmux"',
        '"./node_modules/tcpmux/dist/lib.js"',
      ),
    );
    await succeeds([
      join(MODULES, ".bin", "rollup"),
      "--silent",
      "--external=valibot,@logtape/logtape",
      "rolled_in.mjs",
      "--file=rolled.mjs",
    ]);
    for (const words of Object.values(RUNTIMES)) {
      if (words[0] === undefined) continue; // npm has none for this machine
      const out = await succeeds([...words as string[], "rolled.mjs"]);
      assertEquals(out, "Hello\n");
    }
  });
});
