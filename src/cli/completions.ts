import { getEnv } from "../transport/permission.ts";
import { EXIT } from "./exit.ts";
import { readCommandLine } from "./flags.ts";
import { bashScript } from "./shells/bash.ts";
import { fishScript } from "./shells/fish.ts";
import { zshScript } from "./shells/zsh.ts";
import { COMMANDS, COMPLETIONS } from "./spec.ts";
import { printOut } from "./system.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `tcpmux completions`: the script that teaches a shell this command line. */
// deno-lint-ignore require-await -- failing must reject
export async function completionsCommand(
  args: readonly string[],
): Promise<number> {
  const { positionals: [shell] } = readCommandLine(args, COMPLETIONS, getEnv);
  printOut(SCRIPTS[shell](COMMANDS));
  return EXIT.done;
}
