// Builds what is installed: npm run build [bundle] [bun] [deno] [npm]
//
// bundle  dist/tcpmux.mjs    one file for Node from 20 on, Bun and Deno
// bun     dist/tcpmux        a binary that needs nothing else
// deno    dist/tcpmux-deno   the same, with Deno inside
// npm     dist/lib.js, dist/types, and the bundle: what npm pack takes
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { writeDeclarations } from "./declarations.mjs";
import { bun, deno, install, must, ROOT } from "./runtimes.mjs";

const BUNDLE = join(ROOT, "dist", "tcpmux.mjs");

const BUILDS = {
  bundle() {
    must(bun, ["build", "--target=node", "cli.ts", "--outfile", BUNDLE]);
    const code = readFileSync(BUNDLE, "utf8");
    if (!code.startsWith("#!")) {
      writeFileSync(BUNDLE, `#!/usr/bin/env node\n${code}`);
    }
    chmodSync(BUNDLE, 0o755);
    report(BUNDLE);
  },
  bun() {
    const binary = join(ROOT, "dist", "tcpmux");
    must(bun, [
      "build",
      "--compile",
      // A .env or bunfig.toml where it is started is none of its business.
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      "cli.ts",
      "--outfile",
      binary,
    ]);
    report(binary);
  },
  deno() {
    this.bundle();
    const binary = join(ROOT, "dist", "tcpmux-deno");
    // The bundle and no configuration: only that one file is embedded.
    must(deno, [
      "compile",
      "--allow-all",
      "--no-config",
      "--no-lock",
      "--no-check",
      "--output",
      binary,
      BUNDLE,
    ]);
    report(binary);
  },
  npm() {
    this.bundle();
    const library = join(ROOT, "dist", "lib.js");
    // What is not in its own dependencies is in the file.
    must(bun, [
      "build",
      "--target=node",
      "--external=valibot",
      "--external=@logtape/logtape",
      "src/lib.ts",
      "--outfile",
      library,
    ]);
    report(library);
    writeDeclarations(join(ROOT, "dist", "types"));
  },
};

function report(file) {
  const size = (statSync(file).size / 1e6).toFixed(1);
  console.log(`${file.slice(ROOT.length)}: ${size} MB`);
}

install();
mkdirSync(join(ROOT, "dist"), { recursive: true });
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : ["bundle", "bun"]) {
  if (!Object.hasOwn(BUILDS, name)) {
    console.error(`there is no build ${name}, but ${Object.keys(BUILDS)}`);
    process.exit(64);
  }
  BUILDS[name]();
}
