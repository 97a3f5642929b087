import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { programUnderTest, ROOT } from "./server.ts";
import { until } from "./wait.ts";

/** What is full takes not one byte more before it is read. */
export type Kind = `${"" | "full-"}${"pipe" | "terminal" | "socket"}`;

/** The program under test, with descriptors that others have as well. */
export class SharingProcess {
  /** What the others have read, once they were told to. */
  read = "";
  /** What stands on standard error, if that is not shared. */
  err = "";
  readonly #child: ChildProcess;
  readonly #over: Promise<void>;

  /** @param descriptors some of 0, 1 and 2, all of which are the same */
  constructor(descriptors: string, kind: Kind, words: readonly string[]) {
    const helper = join(ROOT, "tests/support/shared.pl");
    const program = [...programUnderTest(), ...words];
    this.#child = spawn("perl", [helper, descriptors, kind, ...program], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdin!.on("error", () => {}); // it may have ended
    this.#child.stdout!.on(
      "data",
      (bytes) => this.read += String(bytes).replaceAll(/[\0\r]/g, ""),
    );
    this.#child.stderr!.on("data", (bytes) => this.err += String(bytes));
    this.#over = new Promise((resolve) => {
      this.#child.once("close", () => resolve());
    });
  }

  /** Has the others read from now on. */
  startReading(): void {
    this.#child.stdin!.write("read\n");
  }

  /** Has somebody else change the terminal's modes. */
  async quieten(): Promise<void> {
    this.#child.stdin!.write("quiet\n");
    await until("the terminal is quiet", () => /^quiet$/m.test(this.err));
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    const [, pid] = await until(
      "the program is started",
      () => /^pid (\d+)$/m.exec(this.err),
    );
    process.kill(Number(pid), name);
  }

  /** The exit code, and what the descriptors were left as. */
  async ended(): Promise<string> {
    const [, how] = await until(
      () => `the program has ended; it said ${this.err}`,
      () => /^exit (.*)$/m.exec(this.err),
    );
    return how!;
  }

  /** Ends it, whatever it does. */
  async close(): Promise<void> {
    this.#child.stdin!.end();
    await this.#over;
  }
}
