// The declarations of the library, as an npm package has them: those that
// src/lib.ts leads to, and no other.
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { must, ROOT } from "./runtimes.mjs";

const IMPORT = /^(?!\s*\*)(.*(?:from |import\()")([^"]+)\.ts"/gm;

/** Writes them into a folder, which holds nothing else then. */
export function writeDeclarations(folder) {
  rmSync(folder, { recursive: true, force: true });
  const all = mkdtempSync(join(tmpdir(), "tcpmux-types-"));
  try {
    must(join(ROOT, "node_modules/.bin/tsc"), [
      "--project",
      ROOT,
      "--noEmit",
      "false",
      "--declaration",
      "--emitDeclarationOnly",
      "--rootDir",
      ROOT,
      "--outDir",
      all,
    ]);
    const sources = join(all, "src");
    const files = new Set([join(sources, "lib")]);
    for (const file of files) {
      const text = readFileSync(`${file}.d.ts`, "utf8");
      for (const [, , name] of text.matchAll(IMPORT)) {
        files.add(join(dirname(file), name));
      }
      const to = join(folder, `${relative(sources, file)}.d.ts`);
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(
        to,
        text.replaceAll(IMPORT, '$1$2.js"')
          // Examples in the sources import what stands beside them.
          .replaceAll('"./mod.ts"', '"tcpmux"'),
      );
    }
  } finally {
    rmSync(all, { recursive: true, force: true });
  }
}
