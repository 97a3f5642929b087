import manifest from "../../package.json" with { type: "json" };
import { messageOf } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { TableError } from "../table/problem.ts";
import { checkCommand } from "./check.ts";
import { connectCommand } from "./connect.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { usage } from "./flags.ts";
import { HELP_TEXT } from "./help.ts";
import { listCommand } from "./list.ts";
import { serveCommand } from "./serve.ts";
import {
  argv,
  exit,
  printError,
  printOut,
  surviveClosedOutput,
} from "./system.ts";

const COMMANDS = {
  serve: serveCommand,
  check: checkCommand,
  connect: connectCommand,
  list: listCommand,
};
type Command = keyof typeof COMMANDS;

/** The whole command line: runs it and exits. */
export async function main(): Promise<never> {
  surviveClosedOutput();
  exit(await run(argv()));
}

async function run(args: readonly string[]): Promise<number> {
  try {
    const [first = "", ...rest] = args;
    if (first === "--help" || first === "-h" || first === "help") {
      printOut(HELP_TEXT.tcpmux + "\n" + HELP_TEXT.serve);
      return EXIT.done;
    }
    if (first === "--version") {
      printOut(`tcpmux ${manifest.version}\n`);
      return EXIT.done;
    }
    const named = first !== "" && !first.startsWith("-");
    const command = named ? commandOf(first) : "serve";
    const flags = named ? rest : args;
    if (flags.includes("--help") || flags.includes("-h")) {
      printOut(HELP_TEXT[command]);
      return EXIT.done;
    }
    return await COMMANDS[command](flags);
  } catch (error) {
    report(error);
    return exitCodeOf(error);
  }
}

function commandOf(word: string): Command {
  if (Object.hasOwn(COMMANDS, word)) return word as Command;
  const meant = nearest(word, Object.keys(COMMANDS));
  const hint = meant === undefined ? "" : `; the nearest is ${meant}`;
  throw usage(`there is no command ${word}${hint}`);
}

function report(error: unknown): void {
  if (error instanceof TableError) {
    printError(`${error.message}\n`);
    printError(
      `tcpmux: the table has ${error.problems.length} error(s), ` +
        "so nothing was started\n",
    );
  } else printError(`tcpmux: ${messageOf(error)}\n`);
}
