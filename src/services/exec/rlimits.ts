import { getPriority } from "node:os";
import { messageOf } from "../../errors.ts";
import type { Problems } from "../../table/problem.ts";
import type { ExecService, RlimitName } from "../../table/service.ts";
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
 * Finds the tools that set the limits and the priority of programs, and tries
 * each of them, so that a table whose limits cannot be set is refused.
 */
export class LimitTools {
  readonly #transport: Transport;
  readonly #problems: Problems;
  /** The tries so far, by their words: services often have the same limits. */
  readonly #tried = new Map<string, Promise<ToolRun>>();

  constructor(transport: Transport, problems: Problems) {
    this.#transport = transport;
    this.#problems = problems;
  }

  /**
   * The words of all tools that a program is started through. They set its
   * limits before they change its user, who could not raise them. A limit that
   * cannot be set becomes a problem of the table.
   *
   * @param identity its tools only change the user
   */
  async toolsFor(
    service: ExecService,
    identity: { readonly uid: number; readonly tools: readonly string[] },
  ): Promise<readonly string[]> {
    const limits = Object.entries(service.rlimits) as [RlimitName, number][];
    const options = limits.map(([name, value]) => option(name, value));
    const prlimit = options.length === 0
      ? []
      : this.#tool("prlimit", [...options, "--"], service, "rlimits");
    const nice = this.#nice(service);
    if (prlimit === undefined || nice === undefined) return [];
    const tools = [...prlimit, ...nice, ...identity.tools];
    // `checkRequirements` refuses the table where no program may be started.
    if (tools.length === 0 || !this.#transport.abilities.programs) return tools;
    const before = this.#problems.all.length;
    for (const [name, value] of limits) {
      await this.#tryLimit(service, identity.uid, name, value);
    }
    if (nice.length > 0) await this.#tryNice(service, nice);
    if (this.#problems.all.length === before) {
      await this.#tryAll(service, tools);
    }
    return tools;
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
        "has no effect: the program runs as root (set user to run it as " +
          "another user)",
      );
    }
    const run = await this.#run(["prlimit", option(name, value), "--", "true"]);
    if (run.exit.code === 0) return;
    this.#add(
      service,
      ["rlimits", name],
      run.complaint.startsWith("prlimit: ")
        ? `cannot be set: ${run.complaint} (the hard limit is ${await this
          .#hardLimit(name)}; only root may exceed it, up to the limit of ` +
          "the system)"
        : `no program starts with this limit: ${failureOf(run)}`,
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

  /** nice(1) starts the program even where it could not set the priority. */
  async #tryNice(
    service: ExecService,
    [, ...options]: readonly string[],
  ): Promise<void> {
    const run = await this.#run(["nice", ...options, "nice"]);
    if (Number(run.output) === service.nice && run.exit.code === 0) return;
    this.#add(
      service,
      ["nice"],
      `cannot be set: ${failureOf(run)} (the server's own nice value is ` +
        `${getPriority()}; only root may go below it)`,
    );
  }

  /**
   * Tries all tools together: a limit may be too low for the tools behind it.
   * The limit of processes is left out, since a user who has too many of them
   * now may have fewer later.
   */
  async #tryAll(
    service: ExecService,
    tools: readonly string[],
  ): Promise<void> {
    const [first, ...rest] = tools.filter((word) =>
      !word.startsWith(`--${OPTIONS.processes}=`)
    );
    const run = await this.#run([first!, ...rest, "true"]);
    if (run.exit.code === 0) return;
    const isLimited = Object.keys(service.rlimits).length > 0;
    this.#add(
      service,
      [isLimited ? "rlimits" : service.user === "" ? "group" : "user"],
      `no program starts with these settings: ${failureOf(run)}`,
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

/** `soft:hard`: a program may raise the soft limit up to the hard one. */
function option(name: RlimitName, value: number): string {
  if (value === Infinity) return `--${OPTIONS[name]}=unlimited`;
  // The soft limit gives SIGXCPU, whose name says why a program has ended.
  const pair = name === "cpu" ? `${value}:${value + 1}` : value;
  return `--${OPTIONS[name]}=${pair}`;
}

/** Why a tool failed. */
function failureOf({ complaint, exit }: ToolRun): string {
  if (complaint !== "") return complaint;
  return exit.signal === null ? `status ${exit.code}` : exit.signal;
}
