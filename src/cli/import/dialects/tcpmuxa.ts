/** The table of tcpmuxa, tcpmuxa.conf. */
import { TCPMUX_PORT } from "../../../endpoint.ts";
import { type Context, listenText } from "../dialect.ts";
import { Draft, type Imported } from "../draft.ts";
import type { Place, Report } from "../report.ts";
import { linesOf, portOf, type Source, wordsIn } from "../sources.ts";
import { setOwnUser } from "./program.ts";

export function importTcpmuxa(
  sources: readonly Source[],
  { report, files, user }: Context,
): Imported {
  const drafts: Draft[] = [];
  let port = TCPMUX_PORT;
  const drop = (place: Place, why: string) => report.add("dropped", place, why);
  for (const { place, text } of sources.flatMap(linesOf)) {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("$")) {
      port = settingOf(line, place, report) ?? port;
      continue;
    }
    const [name = "", type = "", ...words] = wordsIn(line);
    const draft = new Draft(name, place, "by name", report);
    if (type.toLowerCase() === "net" && words.length === 2) {
      const [host = "", service = ""] = words;
      const to = portOf(service, files);
      const address = to === undefined ? undefined : listenText(host, to);
      if (address === undefined) {
        drop(place, `${host} ${service} is no address`);
        continue;
      }
      draft.keys.connect = address;
    } else if (type.toLowerCase() === "local" && words.length > 0) {
      draft.keys.exec = words;
      setOwnUser(draft, user);
    } else {
      drop(place, "it is neither NAME net HOST PORT nor NAME local PROGRAM");
      continue;
    }
    drafts.push(draft);
  }
  return {
    // It has no IPv6.
    server: { comments: [], keys: { listen: `0.0.0.0:${port}` } },
    drafts,
    differences: [
      "Programs get an environment of their own; tcpmuxa gave them all of its " +
      "own.",
      "Programs read the end of their input where the client has ended its " +
      'side; tcpmuxa ended them (on_client_end = "terminate").',
    ],
    wins: "last",
  };
}

/** The port, if that is what a line sets. */
function settingOf(
  line: string,
  place: Place,
  report: Report,
): number | undefined {
  const [, key, value = ""] = /^\$\s*(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
  if (key?.toLowerCase() !== "port") {
    report.add("dropped", place, `${line} sets nothing: there is $port only`);
    return undefined;
  }
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port > 0 && port < 65536) return port;
  report.add("changed", place, `${value} is no port, so it was ${TCPMUX_PORT}`);
  return TCPMUX_PORT;
}
