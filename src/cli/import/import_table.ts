/** A table of an old configuration: text in, text and report out. */
import type { DialectName } from "../spec/migration.ts";
import type { Context } from "./dialect.ts";
import { READERS } from "./dialects/all.ts";
import { type Draft, type Imported, reportOn, settled } from "./draft.ts";
import type { Source } from "./sources.ts";
import { tableText } from "./toml.ts";

/** A table that is not written yet: services may still be closed. */
export interface ImportedTable {
  readonly drafts: readonly Draft[];
  /** As TOML. */
  text(): string;
  /** Has the report tell of each service whether it is kept. */
  report(): void;
}

/**
 * Reads the files of one configuration, in their order. It never throws, and
 * its table can always be read.
 *
 * @param handsOver whether the runtime can hand a socket to a program
 */
export function importTable(
  sources: readonly Source[],
  dialect: DialectName,
  handsOver: boolean,
  context: Context,
): ImportedTable {
  const imported = READERS[dialect](
    sources.filter((source) => isText(source, context)),
    context,
  );
  const drafts = settled(imported, context.report);
  if (!handsOver) { for (const { keys } of drafts) delete keys.stdio; }
  const about = [
    `Made by tcpmux import of ${
      sources.map(({ file }) => file).join(", ")
    } (${dialect}). What it does differently:`,
    ...differences(imported, drafts, handsOver).map((one) => `- ${one}`),
  ];
  return {
    drafts,
    text: () => tableText(about, imported.server, drafts),
    report: () => drafts.forEach((draft) => reportOn(draft, context.report)),
  };
}

function isText({ file, text }: Source, { report }: Context): boolean {
  const before = text.split("\0", 1)[0]!;
  if (before.length === text.length) return true;
  const line = before.split("\n").length;
  report.add("dropped", { file, line }, "it is no text: there is a NUL byte");
  return false;
}

function differences(
  { differences }: Imported,
  drafts: readonly Draft[],
  handsOver: boolean,
): readonly string[] {
  const hasSocket = drafts.some(({ keys }) => keys.exec !== undefined);
  return [
    "What could be asked for by name stays open to those who could ask; all " +
    "else says enabled = false, and why.",
    ...differences,
    ...handsOver || !hasSocket ? [] : [
      "Deno cannot give programs the client's socket: those that ask it for an " +
      'address need Bun or Node, and stdio = "socket".',
    ],
  ];
}
