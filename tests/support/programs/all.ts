import { join } from "node:path";
import { FILES } from "./files.ts";
import { MESSAGES } from "./messages.ts";
import type { ServedProgram, Stdio } from "./program.ts";
import { REPOSITORIES } from "./repositories.ts";
import { SHELLS } from "./shells.ts";
import { npmFile, TOOLS } from "./tools.ts";

export const PROGRAMS: readonly ServedProgram[] = [
  ...[SHELLS, REPOSITORIES, FILES, MESSAGES, TOOLS].flat(),
];

/** The part of a table that serves a program. */
export function stanza(
  program: ServedProgram,
  stdio: Stdio,
  file: (name: string, usual: string) => string,
): string {
  const keys = program.keys?.(file) ?? [];
  // The server does not see the client's end on the client's own socket.
  const fitting = keys.filter((line) =>
    stdio === "pipe" || !line.startsWith("on_client_end")
  );
  return lines(program.name, program.exec(file), stdio, fitting);
}

/** The same for a test, whose folder is `folder`. */
export function containedStanza(
  program: ServedProgram,
  stdio: Stdio,
  folder: string,
): string {
  const contained = program.contained?.(folder);
  return contained === undefined
    ? stanza(program, stdio, (name) => npmFile(name) ?? join(folder, name))
    : lines(program.name, contained, stdio, []);
}

function lines(
  name: string,
  exec: readonly string[],
  stdio: Stdio,
  keys: readonly string[],
): string {
  return [
    `[services.${name}]`,
    `exec = [${exec.map((word) => JSON.stringify(word)).join(", ")}]`,
    ...(stdio === "socket" ? ['stdio = "socket"'] : []),
    ...keys,
  ].join("\n");
}
