import { getPriority } from "node:os";
import { messageOf } from "../../errors.ts";
import type { Problems } from "../../table/problem.ts";
import type { RlimitName } from "../../table/rlimits.ts";
import type { ExecService } from "../../table/service.ts";
import type { Transport } from "../../transport/transport.ts";
import { DEFAULT_PATH, findProgram } from "./find_program.ts";
import { runTool, type ToolRun } from "./run_tool.ts";

/** The options of prlimit(1). */
const OPTIONS: Record<RlimitName, string> = {
  files: "nofile",
  processes: "nproc",
  cpu: "cpu",
  memory: "as",
  data: "data",
  stack: "stack",
  file_size: "fsize",
  core: "core",
};

/**
 * Finds the tools that give programs their limits and their priority, and
 * tries each of them: what cannot be set is known before a client comes. They
 * come before the user is changed, since afterwards none can be raised.
 */
export class Limiter {
  #transport: Transport;
  #problems: Problems;
  /** Services often have the same limits. */
  #tried = new Map<string, Promise<ToolRun>>();

  constructor(transport: Transport, problems: Problems) {
    this.#transport = transport;
    this.#problems = problems;
  }

  /**
   * All tools that a program is started through, those that change its user
   * being the last; what is wrong is noted.
   */
  async prefix(
    service: ExecService,
    { uid, prefix: change }: { uid: number; prefix: readonly string[] },
  ): Promise<readonly string[]> {
    const limits = Object.entries(service.rlimits) as [RlimitName, number][];
    const options = limits.map(([name, value]) => option(name, value));
    const prlimit = options.length === 0
      ? []
      : this.#tool("prlimit", [...options, "--"], service, "rlimits");
    const nice = this.#nice(service);
    if (prlimit === undefined || nice === undefined) return [];
    const prefix = [...prlimit, ...nice, ...change];
    // Who may not start programs is told so elsewhere.
    if (prefix.length === 0 || !this.#transport.abilities.programs) {
      return prefix;
    }
    const before = this.#problems.all.length;
    for (const [name, value] of limits) {
      await this.#tryLimit(service, uid, name, value);
    }
    if (nice.length > 0) await this.#tryNice(service, nice);
    if (this.#problems.all.length === before) {
      await this.#tryAll(service, prefix);
    }
    return prefix;
  }

  #nice(service: ExecService): string[] | undefined {
    if (service.nice === undefined) return [];
    const step = service.nice - getPriority();
    if (step === 0) return [];
    return this.#tool("nice", ["-n", String(step), "--"], service, "nice");
  }

  #tool(
    name: string,
    options: readonly string[],
    service: ExecService,
    key: string,
  ): string[] | undefined {
    try {
      return [findProgram(name, DEFAULT_PATH), ...options];
    } catch (error) {
      this.#add(service, [key], `needs ${name}(1): ${messageOf(error)}`);
    }
  }

  async #tryLimit(
    service: ExecService,
    uid: number,
    name: RlimitName,
    value: number,
  ): Promise<void> {
    if (name === "processes" && uid === 0 && value !== Infinity) {
      return this.#add(
        service,
        ["rlimits", name],
        "does not limit root, as whom the program runs: set user to run it " +
          "as another",
      );
    }
    const { complaint, exit } = await this.#run([
      "prlimit",
      option(name, value),
      "--",
      "true",
    ]);
    if (exit.code === 0) return;
    this.#add(
      service,
      ["rlimits", name],
      complaint.startsWith("prlimit: ")
        ? `cannot be set: ${complaint} (the hard limit is ${await this
          .#hardLimit(name)}; only root may go above it, as far as the ` +
          "system allows)"
        : `no program can be started with it: ${said(complaint, exit)}`,
    );
  }

  async #hardLimit(name: RlimitName): Promise<string> {
    const { output } = await this.#run([
      "prlimit",
      `--${OPTIONS[name]}`,
      "--noheadings",
      "--raw",
      "--output=HARD",
    ]);
    return output.trim();
  }

  /** nice(1) starts the program even where it could not do its work. */
  async #tryNice(
    service: ExecService,
    [, ...options]: readonly string[],
  ): Promise<void> {
    const { complaint, exit, output } = await this.#run([
      "nice",
      ...options,
      "nice",
    ]);
    if (Number(output) === service.nice && exit.code === 0) return;
    this.#add(
      service,
      ["nice"],
      `cannot be set: ${said(complaint, exit)} (the server's own is ` +
        `${getPriority()}; only root may go below it)`,
    );
  }

  /**
   * All of them together: a limit may be too low for the tools behind it. Not
   * that of processes, since who has too many now may have fewer later.
   */
  async #tryAll(
    service: ExecService,
    prefix: readonly string[],
  ): Promise<void> {
    const [first, ...rest] = prefix.filter((word) =>
      !word.startsWith(`--${OPTIONS.processes}=`)
    );
    const { complaint, exit } = await this.#run([first!, ...rest, "true"]);
    if (exit.code === 0) return;
    const isLimited = Object.keys(service.rlimits).length > 0;
    this.#add(
      service,
      [isLimited ? "rlimits" : service.user === "" ? "group" : "user"],
      `no program can be started so: ${said(complaint, exit)}`,
    );
  }

  #run(words: readonly [string, ...string[]]): Promise<ToolRun> {
    const key = words.join("\0");
    const tried = this.#tried.get(key) ?? runTool(words, this.#transport);
    this.#tried.set(key, tried);
    return tried;
  }

  #add(service: ExecService, key: readonly string[], message: string): void {
    this.#problems.add(["services", service.name, ...key], message);
  }
}

/** Of two numbers the first can be raised by the program up to the second. */
function option(name: RlimitName, value: number): string {
  if (value === Infinity) return `--${OPTIONS[name]}=unlimited`;
  // SIGXCPU, which says what it is about, comes at the first of them.
  const pair = name === "cpu" ? `${value}:${value + 1}` : value;
  return `--${OPTIONS[name]}=${pair}`;
}

function said(complaint: string, exit: ToolRun["exit"]): string {
  if (complaint !== "") return complaint;
  return exit.signal === null ? `status ${exit.code}` : exit.signal;
}
