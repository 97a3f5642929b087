/** The service `tcpmux` of xinetd's own: where its clients came in, and who. */
import { TCPMUX_PORT } from "../../../endpoint.ts";
import { type AddressRules, ADMIT_ALL, both, listsOf } from "../access.ts";
import {
  type Context,
  countOf,
  IPV6_ALONE,
  listenText,
  NOWHERE,
} from "../dialect.ts";
import { Draft, type ServerDraft } from "../draft.ts";
import { portOf } from "../sources.ts";
import {
  Attributes,
  type Block,
  whyOff,
  type XinetdFile,
} from "./xinetd_file.ts";
import { accessTimes, type Range, xinetdRules } from "./xinetd_policy.ts";

export interface XinetdListener {
  readonly listen: string;
  readonly rules: AddressRules;
  /** It took no IPv4, which `[::]` of the table does. */
  readonly isIPv6Alone: boolean;
  /** When it let clients in; undefined for always. */
  readonly times: readonly Range[] | undefined;
  readonly maxConnections: number | undefined;
  readonly maxPerSource: number | undefined;
}

/** Undefined for one that let nobody in, which is in the report. */
export function listenerOf(
  block: Block,
  found: XinetdFile,
  { files, hosts, report }: Context,
): XinetdListener | undefined {
  const attributes = new Attributes(block, found.defaults);
  const draft = new Draft("tcpmux", block.place, "by name", report);
  const refused = (why: string) =>
    draft.close(`xinetd does not take it: ${why}`);
  block.faults.forEach(refused);
  const off = whyOff(block, found);
  if (off !== undefined) draft.close(off);
  if (attributes.word("socket_type") !== "stream") {
    refused("its socket_type must be stream");
  }
  if (attributes.word("wait") !== "no") refused("its wait must be no");
  const types = attributes.one("type")?.values ?? [];
  const word = attributes.word("port");
  const port = word === undefined ? TCPMUX_PORT : portOf(word, files) ?? 0;
  if (port !== TCPMUX_PORT && !types.includes("UNLISTED")) {
    refused(`port ${word} takes the type UNLISTED`);
  }
  const host = hostOf(attributes);
  const listen = port === 0 ? undefined : listenText(host, port);
  if (listen === undefined) {
    refused(`it cannot listen on ${host} ${word ?? ""}`);
  }
  const flags = attributes.one("flags")?.values ?? [];
  if (flags.includes("SENSOR")) draft.close("it is a trap (SENSOR)");
  const times = accessTimes(attributes);
  if (times === "unreadable") draft.close("its access_times cannot be read");
  const own = xinetdRules(attributes, draft);
  const wrapped = flags.includes("NOLIBWRAP")
    ? undefined
    : hosts.of(attributes.word("libwrap") ?? attributes.word("id") ?? "tcpmux");
  for (const at of wrapped?.unclear ?? []) {
    draft.close(`${at} keeps out more than addresses can tell`);
  }
  const limit = (name: string) => {
    const count = countOf(attributes.word(name));
    if (count === 0) draft.close(`${name} = 0 lets nobody in`);
    return count;
  };
  const [maxConnections, maxPerSource] = [
    limit("instances"),
    limit("per_source"),
  ];
  if (attributes.one("cps")) {
    draft.dropped(
      "cps: there is no rate for all services together (rate_per_source and " +
        "the rate of each service limit it)",
      attributes.one("cps")!.place,
    );
  }
  for (const why of draft.closed) {
    report.add("changed", block.place, `tcpmux: closed: ${why}`);
  }
  if (draft.closed.length > 0) return undefined;
  report.add("kept", block.place, `tcpmux: listens on ${listen}`);
  return {
    listen: listen!,
    rules: both(own, wrapped?.rules ?? ADMIT_ALL),
    isIPv6Alone: host === "::" && attributes.word("v6only") === "yes",
    times: times as readonly Range[] | undefined,
    maxConnections,
    maxPerSource,
  };
}

/** Without `bind` it takes both families, unless flags say otherwise. */
function hostOf(attributes: Attributes): string {
  const bound = attributes.address?.values[0];
  if (bound !== undefined) return bound;
  const flags = attributes.one("flags")?.values ?? [];
  return flags.includes("IPv4") && !flags.includes("IPv6") ? "0.0.0.0" : "::";
}

/** The settings of the server; all listeners have the same. */
export function serverOf(listeners: readonly XinetdListener[]): ServerDraft {
  const comments = ["xinetd did not answer HELP: true lists the names."];
  if (listeners.length === 0) {
    return {
      comments: [...comments, "xinetd had no service tcpmux that was open."],
      keys: { listen: NOWHERE, help: false },
    };
  }
  const least = (which: "maxConnections" | "maxPerSource") => {
    const counts = listeners.flatMap((one) => one[which] ?? []);
    return counts.length === 0 ? undefined : Math.min(...counts);
  };
  const isIPv6Alone = listeners.every(({ isIPv6Alone }) => isIPv6Alone);
  const rules = listeners.map(({ rules }) => rules)
    .reduce(both, isIPv6Alone ? IPV6_ALONE : ADMIT_ALL);
  return {
    comments,
    keys: {
      listen: [...new Set(listeners.map(({ listen }) => listen))],
      help: false,
      ...listsOf(rules) ?? { deny: ["any"] },
      ...defined({
        max_connections: least("maxConnections"),
        max_connections_per_source: least("maxPerSource"),
      }),
    },
  };
}

function defined(keys: {
  max_connections: number | undefined;
  max_connections_per_source: number | undefined;
}): { max_connections?: number; max_connections_per_source?: number } {
  return Object.fromEntries(
    Object.entries(keys).filter(([, value]) => value !== undefined),
  );
}
