/** All that the command line has to do with the system around it. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { TcpmuxError } from "../errors.ts";

/** The words behind the program's name. */
export function argv(): string[] {
  return process.argv.slice(2);
}

export function printOut(text: string): void {
  process.stdout.write(text);
}

/**
 * Writes to standard error. Whoever read it may be gone: that is no reason
 * to stop, and there is nobody left to tell.
 */
export function printError(text: string): void {
  try {
    process.stderr.write(text);
  } catch {
    // see above
  }
}

export function stderrIsTerminal(): boolean {
  return process.stderr.isTTY === true;
}

/**
 * Losing who reads our output must not end the program; but output that is
 * lost for another reason, as on a full disk, must not look like success.
 *
 * @param failed what to exit with then
 */
export function surviveClosedOutput(failed: number): void {
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error) => {
    if ((error as { code?: string }).code === "EPIPE") return;
    printError(`tcpmux: cannot write: ${error.message}\n`);
    process.exit(failed);
  });
}

export function exit(code: number): never {
  process.exit(code);
}

export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";

/** Handles a signal for the rest of the program's life. */
export function onSignal(signal: Signal, handle: () => void): void {
  process.on(signal, handle);
}

/** @throws {TcpmuxError} code `invalid_table`, saying why it cannot be read */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    const why = code === "ENOENT"
      ? "no such file"
      : code === "EISDIR"
      ? "it is a folder"
      : code === "EACCES"
      ? "it may not be read"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new TcpmuxError("invalid_table", `${file}: cannot be read: ${why}`, {
      cause: error,
    });
  }
}
