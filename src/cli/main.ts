import manifest from "../../package.json" with { type: "json" };
import { messageOf } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { TableError } from "../table/problem.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { usage } from "./flags.ts";
import { plural } from "./plural.ts";
import { argv, exit, printError, printOut } from "./system.ts";

/** Loaded only when asked for: a client starts without the server's parts. */
const COMMANDS = {
  serve: async () => (await import("./serve.ts")).serveCommand,
  check: async () => (await import("./check.ts")).checkCommand,
  connect: async () => (await import("./connect.ts")).connectCommand,
  list: async () => (await import("./list.ts")).listCommand,
  forward: async () => (await import("./forward.ts")).forwardCommand,
  proxy: async () => (await import("./proxy.ts")).proxyCommand,
  probe: async () => (await import("./probe.ts")).probeCommand,
  completions: async () =>
    (await import("./completions.ts")).completionsCommand,
};
type Command = keyof typeof COMMANDS;

/**
 * The command line: runs it and exits.
 *
 * @param offered the commands that this program has; `serve` is what it does
 * where none is named. By default all.
 */
export async function main(
  offered = Object.keys(COMMANDS) as readonly Command[],
): Promise<never> {
  exit(await run(argv(), offered));
}

async function run(
  args: readonly string[],
  offered: readonly Command[],
): Promise<number> {
  try {
    const [first = "", ...rest] = args;
    if (first === "--help" || first === "-h" || first === "help") {
      const texts = await helpTexts();
      printOut(texts.tcpmux);
      if (offered.includes("serve")) printOut(`\n${texts.serve}`);
      return EXIT.done;
    }
    if (first === "--version") {
      printOut(`tcpmux ${manifest.version}\n`);
      return EXIT.done;
    }
    const named = first !== "" && !first.startsWith("-");
    const command = commandOf(named ? first : "serve", offered);
    const flags = named ? rest : args;
    if (flags.includes("--help") || flags.includes("-h")) {
      printOut((await helpTexts())[command]);
      return EXIT.done;
    }
    return await (await COMMANDS[command]())(flags);
  } catch (error) {
    report(error);
    return exitCodeOf(error);
  }
}

/** They bring in what all the commands are made of. */
const helpTexts = async () => (await import("./help.ts")).HELP_TEXT;

function commandOf(word: string, offered: readonly Command[]): Command {
  const command = offered.find((name) => name === word);
  if (command !== undefined) return command;
  const meant = nearest(word, offered);
  const hint = meant === undefined
    ? `, but there are ${offered.join(", ")}`
    : `; the nearest is ${meant}`;
  throw usage(`there is no command ${word}${hint}`);
}

function report(error: unknown): void {
  if (error instanceof TableError) {
    printError(`${error.message}\n`);
    printError(
      `tcpmux: ${plural(error.problems.length, "error")} in the table, ` +
        "so nothing was started\n",
    );
  } else printError(`tcpmux: ${messageOf(error)}\n`);
}
