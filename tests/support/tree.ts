import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pattern } from "./bytes.ts";

/** Files of all sorts: empty, large, nested, many, with odd names. */
export function makeTree(root: string): void {
  mkdirSync(join(root, "deep/er"), { recursive: true });
  writeFileSync(join(root, "empty"), "");
  writeFileSync(join(root, "large"), pattern(5_000_000));
  writeFileSync(join(root, "deep/er/ü and a blank"), "text\n");
  for (let i = 0; i < 200; i++) {
    writeFileSync(join(root, `deep/${i}`), `${i}\n`);
  }
}
