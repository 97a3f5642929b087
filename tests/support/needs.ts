import { accessSync, constants, readFileSync } from "node:fs";
import process from "node:process";

/** Debian keeps daemons where a user's own PATH does not look. */
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;

/**
 * The file of a program of this machine, if it is installed.
 *
 * @param name the program's name, or its whole path
 */
export function findProgram(name: string): string | undefined {
  const folders = name.startsWith("/") ? [""] : PATH.split(":");
  for (const folder of folders) {
    const file = folder === "" ? name : `${folder}/${name}`;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
}

/**
 * The options of a test that takes programs of this machine: it is skipped
 * where one is missing. Where TCPMUX_TEST_REQUIRE is 1 it runs, and so fails.
 */
export function needs(...programs: string[]): { skip?: string } {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  return missing.length === 0
    ? {}
    : skip(`not installed: ${missing.join(", ")}`);
}

/** The options of a test that only root can run. */
export function needsRoot(): { skip?: string } {
  return process.getuid?.() === 0 ? {} : skip("only root can do this");
}

/** The options of a test that takes so many open files in one process. */
export function needsFiles(count: number): { skip?: string } {
  // Every runtime has raised the soft limit to the hard one.
  const limits = readFileSync("/proc/self/limits", "utf8");
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)![1]);
  return soft >= count
    ? {}
    : skip(`only ${soft} files may be open, not ${count}`);
}

/** The options of a test that cannot run here. */
export function skip(reason: string): { skip?: string } {
  const required = process.env.TCPMUX_TEST_REQUIRE === "1";
  // Not every runner prints the reason. Throwing it is no way: a test file
  // that throws as it is loaded passes on Deno.
  console.error(`${required ? "required, but" : "skipped:"} ${reason}`);
  return required ? {} : { skip: reason };
}
