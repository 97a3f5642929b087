/** The table of the program of 1988, tcpmux.cf. */
import { basename } from "node:path";
import type { Context } from "../dialect.ts";
import { Draft, type Imported } from "../draft.ts";
import { linesOf, type Source, wordsIn } from "../sources.ts";
import { setOwnUser, setProgram } from "./program.ts";

/** It read no longer lines, and went on in their midst. */
const LONGEST = 119;

export function importTcpmuxCf(
  sources: readonly Source[],
  { report, user }: Context,
): Imported {
  const drafts = sources.flatMap(linesOf).flatMap(({ place, text }) => {
    if (text.startsWith("#") || wordsIn(text).length === 0) return [];
    const [word = "", server, ...more] = wordsIn(text);
    const name = word.replace(/^\+/, "");
    if (server === undefined) {
      report.add("dropped", place, "it has no program, and was read over");
      return [];
    }
    const draft = new Draft(name, place, "by name", report);
    if (text.length > LONGEST) {
      draft.close(`a line ends after ${LONGEST} bytes, and the next begins`);
    }
    if (more.length > 0) {
      draft.dropped(
        `${more.join(" ")} was read over: programs get no arguments`,
      );
    }
    if (!word.startsWith("+")) draft.keys.reply = "service";
    setProgram(draft, { server, name: basename(server), args: [] });
    setOwnUser(draft, user);
    return draft;
  });
  return {
    server: { comments: [], keys: {} },
    drafts,
    differences: [
      "It was a program of inetd's: listen = ADDRESS says where, if not on " +
      "port 1 of all addresses.",
      "Programs were called by the name of their service, and are by their own.",
    ],
    wins: "first",
  };
}
