/** The command line's access to the system: arguments, streams, signals. */
import process from "node:process";
import { setImmediate } from "node:timers";
import { EXIT_CODES } from "./spec/parts.ts";

/** The words behind the program's name. */
export function argv(): string[] {
  return process.argv.slice(2);
}

/**
 * Writes to standard output. A reader that is gone does not end the program;
 * output that is lost for another reason, such as a full disk, ends it with an
 * exit code.
 */
export function printOut(text: string): void {
  guarded(process.stdout, outputFailed).write(text);
}

function outputFailed(error: Error & { code?: string }): void {
  if (error.code === "EPIPE") return;
  printError(`tcpmux: cannot write: ${error.message}\n`);
  process.exit(EXIT_CODES.broken.code);
}

/**
 * Writes to standard error. A failure is ignored: there is no other place to
 * report it.
 */
export function printError(text: string): void {
  try {
    guarded(process.stderr, ignored).write(text);
  } catch {
    // Ignored, as said above.
  }
}

function ignored(): void {}

/**
 * The stream, with a listener for its failures. It is not touched before it is
 * used, because Bun makes it non-blocking then.
 */
function guarded(
  stream: NodeJS.WriteStream,
  failed: (error: Error) => void,
): NodeJS.WriteStream {
  if (!stream.listeners("error").includes(failed)) stream.on("error", failed);
  return stream;
}

/** Writes to standard error once for each turn of the event loop. */
export class ErrorBatch {
  #waiting: string[] = [];

  constructor() {
    process.on("exit", () => this.flush());
  }

  print(text: string): void {
    if (this.#waiting.length === 0) setImmediate(() => this.flush());
    this.#waiting.push(text);
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join("");
    this.#waiting = [];
    printError(text);
  }
}

export function stderrIsTerminal(): boolean {
  return process.stderr.isTTY === true;
}

export function exit(code: number): never {
  process.exit(code);
}

export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";

/** Handles a signal for the rest of the program's life. */
export function onSignal(signal: Signal, handle: () => void): void {
  process.on(signal, handle);
}

export type SignalHandlers = Partial<Record<Signal, () => void>>;

/**
 * Receives all signals from its creation on, and keeps them until there are
 * handlers. Receiving them early also keeps Deno from a crash when it runs out of
 * descriptors later, and Node from opening its inspector at SIGUSR1.
 */
export class Signals {
  #early: Signal[] = [];
  #handlers: SignalHandlers | undefined;

  constructor() {
    const all = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
    for (const signal of all) {
      onSignal(signal, () => {
        if (this.#handlers === undefined) this.#early.push(signal);
        else this.#handlers[signal]?.();
      });
    }
  }

  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early) handlers[signal]?.();
  }
}
