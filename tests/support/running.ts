import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programUnderTest, RunningServer } from "./server.ts";
import { until } from "./wait.ts";

/** A command of ours that serves until it is stopped. */
export class RunningCommand extends RunningServer {
  #out: () => string;

  constructor(...[child]: ConstructorParameters<typeof RunningServer>) {
    super(child);
    let said = "";
    child.stdout!.on("data", (bytes) => said += String(bytes));
    this.#out = () => said;
  }

  /** What line number `index` of standard output says, once it is there. */
  async ready<T>(index = 0): Promise<T> {
    const line = await until(
      `line ${index} stands on standard output; it said ${
        JSON.stringify(this.log.slice(-3))
      } ${this.other.join("\n")}`,
      () => {
        const lines = this.#out().split("\n");
        return lines.length > index + 1 ? lines[index] : undefined;
      },
    );
    return JSON.parse(line);
  }
}

/**
 * Runs `use` with the program under test doing `words`, its log as JSON, in
 * a folder of its own. Files may be written there by `words` already.
 *
 * @param before the words of a program that starts it
 */
export async function withCommand(
  words: (folder: string) => readonly string[],
  use: (command: RunningCommand, folder: string) => Promise<void>,
  before: readonly string[] = [],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-test-"));
  const [program, ...args] = [
    ...before,
    ...programUnderTest(),
    ...words(folder),
    "--log-format=json",
  ];
  const child = spawn(program!, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const command = new RunningCommand(child);
  try {
    await Promise.race([
      command.serving(),
      command.exited.then(({ code }) => {
        throw new Error(`it exited ${code}: ${command.other.join("\n")}`);
      }),
    ]);
    await use(command, folder);
  } finally {
    await command.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The port at the end of an address. */
export function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1]);
}
