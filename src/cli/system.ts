/** All that the command line has to do with the system around it. */
import process from "node:process";
import { EXIT } from "./exit.ts";

/** The words behind the program's name. */
export function argv(): string[] {
  return process.argv.slice(2);
}

/** Streams that are in use. Bun makes one non-blocking by touching it. */
const guarded = new Set<NodeJS.WriteStream>();

/**
 * Writes to standard output. Losing who reads it must not end the program;
 * but output that is lost for another reason, as on a full disk, must not
 * look like success.
 */
export function printOut(text: string): void {
  guarding(process.stdout, (error) => {
    if ((error as { code?: string }).code === "EPIPE") return;
    printError(`tcpmux: cannot write: ${error.message}\n`);
    process.exit(EXIT.broken);
  }).write(text);
}

/** What is to be written to standard error very soon. */
const waiting: string[] = [];

/** As {@linkcode printError}, but what comes in one turn is one write. */
export function printErrorSoon(text: string): void {
  if (waiting.length === 0) setImmediate(flushError);
  waiting.push(text);
}

/**
 * Writes to standard error. Whoever read it may be gone: that is no reason
 * to stop, and there is nobody left to tell.
 */
export function printError(text: string): void {
  waiting.push(text);
  flushError();
}

function flushError(): void {
  if (waiting.length === 0) return;
  const text = waiting.join("");
  waiting.length = 0;
  try {
    guarding(process.stderr, () => {}).write(text);
  } catch {
    // see above
  }
}

function guarding(
  stream: NodeJS.WriteStream,
  failed: (error: Error) => void,
): NodeJS.WriteStream {
  if (!guarded.has(stream)) {
    guarded.add(stream);
    stream.on("error", failed);
  }
  return stream;
}

export function stderrIsTerminal(): boolean {
  return process.stderr.isTTY === true;
}

export function exit(code: number): never {
  flushError();
  process.exit(code);
}

export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";

/** Handles a signal for the rest of the program's life. */
export function onSignal(signal: Signal, handle: () => void): void {
  process.on(signal, handle);
}
