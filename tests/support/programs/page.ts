/**
 * docs/programs.md, made of what the tests serve. To write it anew:
 * node tests/support/programs/page.ts
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../server.ts";
import { PROGRAMS, stanza } from "./all.ts";
import type { ServedProgram } from "./program.ts";

export const PAGE = join(ROOT, "docs/programs.md");

const HEAD = `# Programs that tcpmux serves

Each of these is served by the tests (\`tests/programs_e2e_test.ts\`), to its real
client, in every way that the table says, on Deno, Bun and Node. This page is made
from them.

\`pipe\` is the default: the program has one end of a socket pair as its standard
input and output, and the server carries the bytes. With \`stdio = "socket"\` it has
the client's own socket, on Bun and Node. What works with \`pipe\` is best left
there: the server then counts the bytes and keeps its time limits, and it works on
every runtime. A program that asks its socket who the client is needs
\`"socket"\`. On Deno without \`--allow-ffi\`, programs have two pipes, with which
those that look for a socket do not work; \`rsync --daemon\` would become a daemon of
its own.

What listens and has its own way of being started, such as a database, is better
reached by \`connect\`.
`;

/** The page as it should be, before the formatter. */
export function page(): string {
  return [HEAD, table(), ...PROGRAMS.map(section)].join("\n");
}

function table(): string {
  const rows = PROGRAMS.map(({ name, title, not }) =>
    `| [${title}](#${name}) | ${says(not?.pipe)} | ${says(not?.socket)} |`
  );
  return [
    "| program | `pipe`: Deno, Bun, Node | `socket`: Bun, Node |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function says(not: string | undefined): string {
  return not === undefined ? "yes" : `no: ${not}`;
}

function section(program: ServedProgram): string {
  const { name, title, packages, note, not } = program;
  const stdio = not?.pipe === undefined ? "pipe" : "socket";
  const text = stanza(program, stdio, (_, usual) => usual);
  return [
    `## ${name}`,
    "",
    `${title}: ${packages.map((one) => `\`${one}\``).join(", ")}. ${note ?? ""}`
      .trim(),
    "",
    "```toml",
    text,
    "```",
    "",
  ].join("\n");
}

/** Without what the formatter alone decides. */
export function unformatted(text: string): string {
  return text.replaceAll(/\|[ -]*(?=\||$)/gm, "|").replaceAll(/\s+/g, " ")
    .replaceAll(/ *\| */g, "|").replaceAll(/\|[-|]+/g, "|");
}

if (import.meta.main) {
  writeFileSync(PAGE, page());
  console.log(`${PAGE}: to be formatted by deno fmt`);
  process.exitCode = 0;
}
