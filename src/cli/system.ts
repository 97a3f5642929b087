/** The command line's access to the system: arguments, streams, signals. */
import { closeSync, fstatSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { codeOf, TcpmuxError } from "../errors.ts";
import { fromSystem } from "../transport/errno.ts";
import type { Output } from "../transport/system.ts";
import type { Transport } from "../transport/transport.ts";
import { WriteQueue } from "../transport/write_queue.ts";

/** Milliseconds before a write that failed with EAGAIN is tried again. */
const RETRY_PAUSE = 5;

/** Milliseconds that the program waits, at its end, for its output's reader. */
export const PATIENCE = 1000;

const encoder = new TextEncoder();

/** The words behind the program's name. */
export function argv(): string[] {
  return process.argv.slice(2);
}

/**
 * Writes all of it to standard output, however slow its reader is. A reader
 * that has closed its end is no error.
 *
 * @throws {TcpmuxError} where output is lost, as on a full disk
 */
export function printOut(text: string): void {
  restoreSignals(); // no handler runs while the reader is slow
  try {
    writeAll(1, text);
  } catch (error) {
    const failure = fromSystem(error, "cannot write");
    if (codeOf(failure) !== "broken_pipe") throw failure;
  }
}

/**
 * Writes all of it to standard error, as {@linkcode printOut} does; a client
 * that is there by way of inetd(8) gets nothing of it.
 *
 * @returns whether no line is lost; if one is, there is no place to say why
 */
export function printError(text: string): boolean {
  if (stderrIsClients()) return true;
  try {
    writeAll(2, text);
    return true;
  } catch (error) {
    return codeOf(fromSystem(error, "cannot write")) === "broken_pipe";
  }
}

/**
 * Writes to the descriptor itself: the runtimes' own streams make it
 * non-blocking for all its users, or lose at the exit what was not taken.
 */
function writeAll(descriptor: number, text: string): void {
  for (let rest = encoder.encode(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      // Others have made it non-blocking.
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_PAUSE);
    }
  }
}

/** Whether the promise is settled after so many milliseconds. */
export async function settlesWithin(
  time: number,
  promise: Promise<void> | undefined,
): Promise<boolean> {
  const stop = new AbortController();
  const late = sleep(time, false, { signal: stop.signal }).catch(() => true);
  const isSettled = await Promise.race([promise?.then(() => true), late]);
  stop.abort();
  return isSettled ?? true;
}

export function stdoutIsTerminal(): boolean {
  return isatty(1);
}

/**
 * Whether standard error is the very socket that is standard input, as inetd(8)
 * has it: what is written there reaches the client.
 */
export function stderrIsClients(): boolean {
  try {
    const [input, error] = [fstatSync(0), fstatSync(2)];
    return input.isSocket() && error.isSocket() && input.dev === error.dev &&
      input.ino === error.ino;
  } catch {
    return false; // one of them is closed
  }
}

export function stderrIsTerminal(): boolean {
  return isatty(2);
}

export function exit(code: number): never {
  leaveTerminal();
  process.exit(code);
}

/**
 * Closes what is a terminal: at its end a program on Node or Bun would give it
 * the modes that it began with, though others may have changed them since.
 */
function leaveTerminal(): void {
  for (const descriptor of [0, 1, 2]) {
    try {
      if (isatty(descriptor)) closeSync(descriptor);
    } catch {
      // It is closed already; Deno does not see that.
    }
  }
}

const ALL_SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
] as const;

export type Signal = (typeof ALL_SIGNALS)[number];

/** Handles a signal for the rest of the program's life. */
export function onSignal(signal: Signal, handle: () => void): void {
  process.on(signal, handle);
}

/** Has these signals end the program, as they end any other. */
export function endBy(...signals: Signal[]): void {
  for (const signal of signals) {
    onSignal(signal, () => {
      leaveTerminal();
      restoreSignals();
      process.kill(process.pid, signal);
    });
  }
}

/** Has every signal do what it does to any program, also while one waits. */
export function restoreSignals(): void {
  for (const signal of ALL_SIGNALS) process.removeAllListeners(signal);
}

export type SignalHandlers = Partial<Record<Signal, () => void>>;

/**
 * Receives all signals from its creation on, and keeps each until there is a
 * handler for it. Receiving them early also keeps Deno from a crash when it runs out of
 * descriptors later, and Node from opening its inspector at SIGUSR1.
 */
export class Signals {
  readonly #early = new Set<Signal>();
  #handlers: SignalHandlers = {};

  constructor() {
    for (const signal of ALL_SIGNALS) {
      onSignal(signal, () => {
        const handle = this.#handlers[signal];
        if (handle === undefined) this.#early.add(signal);
        else handle();
      });
    }
  }

  /** Handles these from now on, also those that came before. */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early) {
      if (handlers[signal] === undefined) continue;
      this.#early.delete(signal);
      handlers[signal]();
    }
  }
}

/** What is printed on standard output while the program serves. */
export class Announcements {
  readonly #transport: Transport;
  readonly #onFailure: () => void;
  readonly #writes = new WriteQueue();
  #output: Output | undefined;
  #failure: unknown;

  /** @param onFailure called where one cannot be written */
  constructor(transport: Transport, onFailure: () => void) {
    this.#transport = transport;
    this.#onFailure = onFailure;
  }

  print(what: object | undefined): void {
    if (what === undefined) return;
    const output = this.#output ??= this.#transport.output(1);
    const line = new TextEncoder().encode(`${JSON.stringify(what)}\n`);
    this.#writes.run(() => output.write(line)).catch((error) => {
      if (codeOf(error) === "broken_pipe") return; // its reader has closed it
      this.#failure ??= error;
      this.#onFailure();
    });
  }

  /** @throws {TcpmuxError} where not all has been written in time */
  async over(): Promise<void> {
    const isWritten = await settlesWithin(PATIENCE, this.#writes.settled());
    if (this.#failure !== undefined) throw this.#failure;
    if (isWritten) return;
    throw new TcpmuxError(
      "failed",
      "cannot write to standard output: its reader does not read",
    );
  }
}
