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

The tests (\`tests/programs_e2e_test.ts\`) serve each of these programs to its real
client, in every way that the table shows, on Deno, Bun and Node. This page is
made from the tests.

With \`stdio = "pipe"\`, the default, the standard input and output of the program
are one end of a socket pair, and the server relays the bytes. With
\`stdio = "socket"\` they are the client's own socket (Bun and Node only). If a
program works with \`"pipe"\`, keep that: the server then counts the bytes and
applies its time limits, and it works on every runtime. A program that asks its
socket for the client's address needs \`"socket"\`. On Deno without
\`--allow-ffi\`, a program gets two pipes. Programs that look for a socket then do
not work, and \`rsync --daemon\` would start listening on the network itself.

For a program that runs as a server already, such as a database, use \`connect\`
instead.
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
