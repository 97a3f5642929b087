import { cpSync } from "node:fs";
import { basename } from "node:path";
import { ROOT } from "./server.ts";

/** What a clone of the repository does not have. */
const NOT_CLONED = ["node_modules", "dist", ".git"];

/** Copies the project as whoever clones it gets it. */
export function cloneTo(folder: string): void {
  cpSync(ROOT, folder, {
    recursive: true,
    filter: (file) => !NOT_CLONED.includes(basename(file)),
  });
}
