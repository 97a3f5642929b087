import { getEnv } from "../transport/permission.ts";
import { EXIT } from "./exit.ts";
import { COMPLETIONS_FLAGS } from "./flag_specs.ts";
import { readFlags, usage } from "./flags.ts";
import { bashScript } from "./shells/bash.ts";
import { fishScript } from "./shells/fish.ts";
import { zshScript } from "./shells/zsh.ts";
import { SHELLS, synopses } from "./synopsis.ts";
import { printOut } from "./system.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `tcpmux completions`: the script that teaches a shell this command line. */
// deno-lint-ignore require-await -- failing must reject
export async function completionsCommand(
  args: readonly string[],
): Promise<number> {
  const { words } = readFlags(args, COMPLETIONS_FLAGS, getEnv);
  const shell = SHELLS.find((name) => name === words[0]);
  if (shell === undefined) {
    const given = words[0] === undefined
      ? ""
      : `, not ${JSON.stringify(words[0])}`;
    throw usage(`completions takes a shell: ${SHELLS.join(", ")}${given}`);
  }
  printOut(SCRIPTS[shell](synopses()));
  return EXIT.done;
}
