/** What one proxied connection runs through, once the server is warm. */
import { fork } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assert } from "@std/assert";

/** These may fall, and never rise. */
const MOST_FILES = 25;
const MOST_FUNCTIONS = 100;

/** V8 counts calls for who asks; Node alone hands that out in full. */
const isNode = !("Deno" in globalThis) && !("Bun" in globalThis);

interface Path {
  /** The functions that were called, by the file that they stand in. */
  readonly files: Readonly<Record<string, readonly string[]>>;
}

/** In a process of its own, so that nothing of the test's is counted. */
function measured(): Promise<Path> {
  const program = fileURLToPath(
    new URL("support/path_of_a_connection.ts", import.meta.url),
  );
  const child = fork(program, [], {
    execArgv: process.execArgv.filter((word) => !word.startsWith("--test")),
  });
  return new Promise((resolve, reject) => {
    child.once("message", (path) => resolve(path as unknown as Path));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`it exited ${code}`)));
  });
}

describe("one proxied connection on a warm server", {
  skip: isNode ? false : "Node alone counts the calls of each function",
}, () => {
  test(`runs through at most ${MOST_FILES} files and ${MOST_FUNCTIONS} functions`, async () => {
    const { files } = await measured();
    const names = Object.entries(files);
    const functions = names.reduce((sum, [, called]) => sum + called.length, 0);
    const list = names.map(([file, called]) => `${file}: ${called.join(", ")}`);
    const found = `${names.length} files and ${functions} functions`;
    if (process.env.TCPMUX_TEST_PRINT === "1") {
      console.log([found, ...list].join("\n"));
    }
    assert(names.length > 10, found); // or nothing was counted
    assert(
      names.length <= MOST_FILES && functions <= MOST_FUNCTIONS,
      [found, ...list].join("\n"),
    );
  });
});
