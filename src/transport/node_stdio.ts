import { closeSync } from "node:fs";
import process from "node:process";
import { PipeConn } from "./pipe_conn.ts";
import type { Conn } from "./transport.ts";

const STDOUT = 1;

/** This program's standard input and output, for Node. */
export function nodeStdio(): Conn {
  return new OwnStdio(process.stdin, process.stdout);
}

class OwnStdio extends PipeConn {
  #ended = false;

  /** Really closes it, so that whoever reads it sees the end. */
  override closeWrite(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#ended = true;
    return new Promise((resolve) => {
      process.stdout.write("", () => {
        closeStdout();
        resolve();
      });
    });
  }
}

export function closeStdout(): void {
  try {
    closeSync(STDOUT);
  } catch {
    // It was closed when the program began, or by its reader's death.
  }
}
