/** The reference of the command line in docs/commands.md. */
import { aboutFlag, usagesOf } from "../../src/cli/help.ts";
import { COMMANDS } from "../../src/cli/spec.ts";
import {
  type CommandSpec,
  EXIT_CODES,
  formsOf,
  SIGNALS,
} from "../../src/cli/spec/parts.ts";
import {
  type Generated,
  MARKDOWN_MARKERS,
  markdownTable,
  withParts,
} from "./files.ts";

export function commandReference(): Generated[] {
  return [withParts("docs/commands.md", MARKDOWN_MARKERS, parts())];
}

function parts(): Record<string, string> {
  return {
    commands: `\n${usageBlock()}\n`,
    flags: markdownTable(["flag", "command", "meaning"], flagRows()),
    signals: markdownTable(
      ["signal", "what it does"],
      SIGNALS.map(({ names, about }) => [names.join(", "), about]),
    ),
    "exit codes": markdownTable(
      ["exit code", "meaning"],
      Object.values(EXIT_CODES).map(({ code, meaning }) => [
        String(code),
        meaning,
      ]),
    ),
  };
}

function usageBlock(): string {
  const lines = COMMANDS.flatMap((command) =>
    usagesOf(command).map((usage) => `tcpmux ${usage} [FLAG…]\n`)
  );
  return `\`\`\`\n${
    lines.join("")
  }tcpmux [COMMAND] --help | --version | --licenses\n\`\`\`\n`;
}

/** A row for each flag, and another where it means something else. */
function flagRows(): string[][] {
  const commands = new Map<string, string[]>();
  for (const { name, flags } of COMMANDS as readonly CommandSpec[]) {
    for (const [long, spec] of Object.entries(flags)) {
      const value = spec.value === undefined ? "" : ` ${spec.value.name}`;
      const forms = formsOf(long, spec).map((form) => `\`${form}\``).join(", ");
      const flag = forms.replace(/`$/, `${value}\``);
      const row = JSON.stringify([flag, aboutFlag(spec)]);
      commands.set(row, [...commands.get(row) ?? [], name]);
    }
  }
  return [...commands].map(([row, names]) => {
    const [flag, about] = JSON.parse(row);
    return [flag, names.join(", "), about];
  });
}
