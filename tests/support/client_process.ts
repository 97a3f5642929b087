import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import { programUnderTest } from "./server.ts";
import { until } from "./wait.ts";

/** The program under test while it runs, with its input left open. */
export class ClientProcess {
  out = "";
  err = "";
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  /** @param command what is run, by default the program under test */
  constructor(
    words: readonly string[],
    env: Record<string, string> = {},
    command: readonly string[] = programUnderTest(),
  ) {
    const [program, ...args] = [...command, ...words];
    this.#child = spawn(program!, args, {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: 300_000,
      killSignal: "SIGKILL",
    });
    this.#child.stdin!.on("error", () => {}); // it may have ended
    this.#child.stdout!.on("data", (bytes) => this.out += String(bytes));
    this.#child.stderr!.on("data", (bytes) => this.err += String(bytes));
    this.exited = new Promise((resolve) => {
      this.#child.once("close", (code) => resolve(code));
    });
  }

  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  end(): void {
    this.#child.stdin!.end();
  }

  /** Waits until it has printed this. */
  async says(text: string): Promise<void> {
    await until(
      `${JSON.stringify(text)} is said; so far ${this.out} ${this.err}`,
      () => this.out.includes(text),
    );
  }

  /** Waits until it has said this on standard error. */
  async complains(text: RegExp): Promise<void> {
    await until(
      () => `${text} is said; so far ${this.err}`,
      () => text.test(this.err),
    );
  }

  /** Waits until it has a handler of its own for the signal. */
  async heeds(name: NodeJS.Signals): Promise<void> {
    const bit = 1n << BigInt(constants.signals[name] - 1);
    await until(`it heeds ${name}`, () => {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
      const [, caught] = /^SigCgt:\s*(\w+)$/m.exec(status) ?? [];
      return (BigInt(`0x${caught ?? 0}`) & bit) !== 0n;
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.#child.exitCode !== null) return;
    process.kill(this.#child.pid!, name); // child.kill() works but once on Deno
  }
}
