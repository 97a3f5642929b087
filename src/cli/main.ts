import { readFile } from "node:fs/promises";
import manifest from "../../package.json" with { type: "json" };
import { nearest } from "../units.ts";
import { EXIT, exitCodeOf, explain } from "./exit.ts";
import { isLikeFile, usage } from "./flags.ts";
import type { CommandName } from "./spec.ts";
import { argv, exit, printError, printOut, restoreSignals } from "./system.ts";

type Run = (args: readonly string[]) => Promise<number>;

/** Each is imported only when it runs: a client loads no part of the server. */
const RUNNERS: Readonly<Record<CommandName, () => Promise<Run>>> = {
  serve: async () => (await import("./serve.ts")).serveCommand,
  check: async () => (await import("./check.ts")).checkCommand,
  explain: async () => (await import("./explain/explain.ts")).explainCommand,
  connect: async () => (await import("./connect.ts")).connectCommand,
  list: async () => (await import("./client.ts")).listCommand,
  forward: async () => (await import("./local.ts")).forwardCommand,
  proxy: async () => (await import("./local.ts")).proxyCommand,
  probe: async () => (await import("./probe.ts")).probeCommand,
  import: async () => (await import("./import/command.ts")).importCommand,
  export: async () => (await import("./export/command.ts")).exportCommand,
  cert: async () => (await import("./cert/command.ts")).certCommand,
  status: async () => (await import("./control/commands.ts")).statusCommand,
  sessions: async () => (await import("./control/commands.ts")).sessionsCommand,
  reload: async () => (await import("./control/commands.ts")).reloadCommand,
  disable: async () => (await import("./control/commands.ts")).disableCommand,
  enable: async () => (await import("./control/commands.ts")).enableCommand,
  kill: async () => (await import("./control/commands.ts")).killCommand,
  drain: async () => (await import("./control/commands.ts")).drainCommand,
  completions: async () =>
    (await import("./completions.ts")).completionsCommand,
};

/**
 * Runs the command line, and exits.
 *
 * @param offered the commands of this program, by default all; where the command
 * line names none, `serve` runs
 */
export async function main(
  offered = Object.keys(RUNNERS) as readonly CommandName[],
): Promise<never> {
  exit(await run(argv(), offered));
}

async function run(
  args: readonly string[],
  offered: readonly CommandName[],
): Promise<number> {
  try {
    const [first = "", ...rest] = args;
    if (first === "--help" || first === "-h" || first === "help") {
      const { helpOf, helpOfAll } = await import("./help.ts");
      printOut(helpOfAll(offered));
      if (offered.includes("serve")) printOut(`\n${helpOf("serve")}`);
      return EXIT.done;
    }
    if (first === "--version") {
      printOut(`tcpmux ${manifest.version}\n`);
      return EXIT.done;
    }
    if (first === "--licenses") {
      printOut(await licenses());
      return EXIT.done;
    }
    if (/^(version|-v|-V)$/.test(first)) {
      const what = first === "version" ? "command" : "flag";
      throw usage(`unknown ${what} ${first}: did you mean --version?`);
    }
    const named = first !== "" && !first.startsWith("-");
    if (!named && !offered.includes("serve")) {
      throw usage(`a command is missing: one of ${offered.join(", ")}`);
    }
    const command = commandOf(named ? first : "serve", offered);
    const flags = named ? rest : args;
    if (flags.includes("--help") || flags.includes("-h")) {
      printOut((await import("./help.ts")).helpOf(command));
      return EXIT.done;
    }
    return await (await RUNNERS[command]())(flags);
  } catch (error) {
    restoreSignals();
    printError(explain(error));
    return exitCodeOf(error);
  }
}

/** Part of the program, or read from beside it, as the built-in table is. */
async function licenses(): Promise<string> {
  try {
    const text = await import("../../THIRD_PARTY.md", {
      with: { type: "text" },
    });
    return text.default;
  } catch {
    return await readFile(new URL("../../THIRD_PARTY.md", import.meta.url), {
      encoding: "utf8",
    });
  }
}

function commandOf(word: string, offered: readonly CommandName[]): CommandName {
  const command = offered.find((name) => name === word);
  if (command !== undefined) return command;
  const meant = nearest(word, offered) ??
    (offered.includes("serve") && isLikeFile(word)
      ? `--config ${word}`
      : undefined);
  const hint = meant === undefined
    ? `; the commands are ${offered.join(", ")}`
    : `: did you mean ${meant}?`;
  throw usage(`unknown command ${word}${hint}`);
}
