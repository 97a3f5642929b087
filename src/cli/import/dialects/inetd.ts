/** inetd.conf of FreeBSD and DragonFly, of NetBSD, and of GNU inetutils. */
import { basename } from "node:path";
import { TCPMUX_PORT } from "../../../endpoint.ts";
import type { ServerInput } from "../../../table/input.ts";
import { BUILTINS } from "../../../table/service.ts";
import { ADMIT_ALL, both, boundRules, listsOf } from "../access.ts";
import { type Context, IPV6_ALONE, listenText, NOWHERE } from "../dialect.ts";
import { Draft, type Imported, type ServerDraft } from "../draft.ts";
import type { Report } from "../report.ts";
import { Includes, type Line, type Source } from "../sources.ts";
import { isKeyed, keyedEnd, keyedEntry } from "./inetd_netbsd.ts";
import {
  entryLines,
  type InetdEntry,
  type InetdFlavour,
  type InetdLimits,
  InetdLines,
} from "./inetd_line.ts";
import { isTcpd, setAccess, setProgram } from "./program.ts";

const DIFFERENCES = [
  "Programs get an environment of their own; inetd gave them all of its own.",
  "Standard error goes to the log; inetd gave it to the client " +
  '(stderr = "client").',
];

/** Reads an inetd.conf of that flavour, and what it includes. */
export function importInetd(
  flavour: InetdFlavour,
  sources: readonly Source[],
  context: Context,
): Imported {
  const includes = new Includes(context.files, context.report);
  const entries = sources.flatMap((source) =>
    entriesOf(source, flavour, includes, context.report, 0)
  );
  const isListener = ({ service }: InetdEntry) => service === "tcpmux";
  const listeners = entries.filter(isListener)
    .filter((entry) => isOpenListener(entry, context.report));
  const drafts = entries.filter((entry) => !isListener(entry))
    .flatMap((entry) => serviceOf(entry, flavour, context) ?? []);
  const byName = drafts.filter(({ reached }) => reached === "by name");
  // GNU's listens by itself, if a service is there, and no entry says where.
  const isImplied = flavour === "gnu" && byName.length > 0 &&
    !entries.some(isListener);
  if (listeners.length === 0 && !isImplied) {
    for (const draft of byName) {
      draft.close(
        "there is no entry tcpmux (GNU's inetd needs none: --from inetd-gnu)",
      );
    }
  }
  return {
    server: inetdServer(listeners, isImplied, flavour, context),
    drafts,
    differences: DIFFERENCES,
    wins: "last",
  };
}

/** Files that name each other deeper than that are not read. */
const MOST_DEPTH = 20;

function entriesOf(
  source: Source,
  flavour: InetdFlavour,
  includes: Includes,
  report: Report,
  depth: number,
): InetdEntry[] {
  const reader = new InetdLines(flavour, report);
  const entries: InetdEntry[] = [];
  const lines = entryLines(source, flavour);
  while (lines.length > 0) {
    const line = lines.shift()!;
    const [, pattern] = flavour === "netbsd"
      ? /^\.include\s+"?([^"]+?)"?$/.exec(line.text) ?? []
      : [];
    if (pattern !== undefined) {
      const found = depth < MOST_DEPTH
        ? includes.matching(pattern, line.place)
        : [];
      entries.push(
        ...found.flatMap((file) =>
          entriesOf(file, flavour, includes, report, depth + 1)
        ),
      );
    } else if (flavour === "netbsd" && isKeyed(line.text)) {
      entries.push(...keyedEntries(line, lines, reader.hosts, report));
    } else entries.push(...[reader.read(line) ?? []].flat());
  }
  return entries;
}

/** An entry of keys goes on to its `;`, and another may stand behind that. */
const MOST_LINES = 100;

function keyedEntries(
  { place, text }: Line,
  lines: Line[],
  hosts: readonly string[],
  report: Report,
): InetdEntry[] {
  const entries: InetdEntry[] = [];
  let rest = text;
  for (let taken = 0; rest !== "" && taken <= MOST_LINES; taken++) {
    for (let end; (end = keyedEnd(rest)) !== undefined;) {
      entries.push(keyedEntry(end.tokens, place, hosts));
      rest = rest.slice(end.length).trim();
    }
    if (rest === "" || rest.startsWith("#")) return entries;
    const next = lines.shift();
    if (next === undefined) break;
    rest += `\n${next.text}`;
  }
  report.add("dropped", place, "no ; ends this entry");
  return entries;
}

/** Undefined for what TCPMUX cannot carry, which is in the report. */
function serviceOf(
  entry: InetdEntry,
  flavour: InetdFlavour,
  { report, hosts }: Context,
): Draft | undefined {
  const { place, service, socket, protocol, server } = entry;
  const isMux = service.startsWith("tcpmux/");
  const name = isMux ? service.replace(/^tcpmux\/\+?/, "") : service;
  const drop = (why: string): undefined =>
    void report.add("dropped", place, `${name}: ${why}`);
  if (
    socket !== "stream" || !/^tcp(4|6|46)?(\/(ttcp|faith))?$/.test(protocol)
  ) {
    return drop(`${socket} ${protocol} is not carried by TCPMUX, which is TCP`);
  }
  if (!isMux && entry.waits) return drop("it is given the listening socket");
  const draft = new Draft(name, place, isMux ? "by name" : "by port", report);
  for (const fault of entry.faults) draft.close(fault);
  if (!entry.isOn) draft.close("it is off");
  if (isMux && entry.hosts.length > 0) {
    draft.dropped(`inetd has no addresses for what stands behind tcpmux`);
  }
  if (server === "internal") setInternal(draft, isMux);
  else {
    if (isMux && !service.startsWith("tcpmux/+")) draft.keys.reply = "service";
    setProgram(draft, entry);
    setOwner(draft, entry);
  }
  const program = isTcpd(server) ? entry.name : server;
  // The others ask libwrap by themselves, and GNU's only through tcpd.
  const isWrapped = isTcpd(server) || flavour !== "gnu";
  const bound = isMux ? ADMIT_ALL : boundRules(draft, entry.hosts);
  setAccess(draft, bound, isWrapped ? hosts : undefined, basename(program));
  setInetdLimits(draft, entry.limits);
  return draft;
}

function setInternal(draft: Draft, isMux: boolean): void {
  const builtin = BUILTINS.find((one) => one === draft.name);
  if (isMux) draft.close("inetd has none of its own services behind tcpmux");
  if (builtin === undefined) draft.discard("there is no such built-in service");
  else draft.keys.builtin = builtin;
}

function setOwner(draft: Draft, { user, group, loginClass }: InetdEntry): void {
  if (user === "") draft.close("it names no user");
  else draft.keys.user = user;
  if (group !== undefined && group !== "") draft.keys.group = group;
  if (loginClass !== undefined) {
    draft.changed(
      `the limits of the login class ${loginClass} are not set (rlimits)`,
    );
  }
}

function setInetdLimits(
  draft: Draft,
  { connections, perMinute, perSource, perSourceAndMinute }: InetdLimits,
): void {
  const most = 1_000_000;
  const limits = {
    max_connections: connections && Math.min(connections, most),
    max_connections_per_source: perSource && Math.min(perSource, most),
    rate: perMinute && `${perMinute}/m`,
    rate_per_source: perSourceAndMinute && `${perSourceAndMinute}/m`,
  };
  const set = Object.entries(limits).filter(([, value]) => value);
  if (set.length === 0) return;
  Object.assign(draft.keys, Object.fromEntries(set));
  if (draft.reached === "by name") {
    draft.changed(
      `inetd did not hold to its limits behind tcpmux, and ${
        set.map(([key]) => key).join(" and ")
      } now ${set.length > 1 ? "are" : "is"} held to`,
    );
  }
}

/** Whether an entry `tcpmux` let clients in; the report says it of others. */
function isOpenListener(entry: InetdEntry, report: Report): boolean {
  const { place, socket, protocol, waits, server, faults, isOn, hosts } = entry;
  const why = [
    ...faults,
    ...isOn ? [] : ["it is off"],
    ...socket === "stream" &&
        /^tcp(4|6|46)?(\/(ttcp|faith))?$/.test(protocol) && !waits
      ? []
      : ["it is not stream tcp nowait"],
    ...server === "internal" ? [] : [
      `${server} is a server of TCPMUX of its own: import its table`,
    ],
    ...hosts.filter((host) => listenText(host, TCPMUX_PORT) === undefined)
      .map((host) => `${host} is no address`),
  ];
  for (const text of why) {
    report.add("changed", place, `tcpmux: closed: ${text}`);
  }
  if (why.length > 0) return false;
  report.add("kept", place, "tcpmux: the address to listen on");
  return true;
}

function inetdServer(
  listeners: readonly InetdEntry[],
  isImplied: boolean,
  flavour: InetdFlavour,
  { hosts, report }: Context,
): ServerDraft {
  if (listeners.length === 0 && !isImplied) {
    return {
      comments: ["inetd had no entry tcpmux that was open."],
      keys: { listen: NOWHERE },
    };
  }
  const families = listeners.map(({ protocol }) =>
    protocol.replace(/\/.*/, "")
  );
  const listen = listeners.flatMap((entry, index) => {
    const any = families[index] === "tcp6" || families[index] === "tcp46"
      ? "::"
      : "0.0.0.0";
    return (entry.hosts.length === 0 ? [any] : entry.hosts)
      .map((host) => listenText(host, TCPMUX_PORT)!);
  });
  // GNU's takes IPv4 as well where it says tcp6; the others do not.
  const isIPv6Alone = flavour !== "gnu" && listeners.length > 0 &&
    families.every((family) => family === "tcp6");
  const wrapped = flavour === "gnu" ? undefined : hosts.of("tcpmux");
  const isUnclear = (wrapped?.unclear.length ?? 0) > 0;
  const rules = both(
    wrapped?.rules ?? ADMIT_ALL,
    isIPv6Alone ? IPV6_ALONE : ADMIT_ALL,
  );
  const lists = isUnclear ? undefined : listsOf(rules);
  for (const at of wrapped?.unclear ?? []) {
    const [place] = listeners.map(({ place }) => place);
    report.add(
      "changed",
      place!,
      `tcpmux: closed: ${at} keeps out more than addresses can tell`,
    );
  }
  return {
    comments: [],
    keys: {
      listen: listen.length === 0
        ? [`[::]:${TCPMUX_PORT}`]
        : [...new Set(listen)],
      ...lists ?? { deny: ["any"] },
      ...serverLimits(listeners),
    },
  };
}

/** Those of the first: all connections to services come from it. */
function serverLimits([entry]: readonly InetdEntry[]): ServerInput {
  const { connections, perSource, perSourceAndMinute } = entry?.limits ?? {};
  return {
    ...connections ? { max_connections: connections } : {},
    ...perSource ? { max_connections_per_source: perSource } : {},
    ...perSourceAndMinute ? { rate_per_source: `${perSourceAndMinute}/m` } : {},
  };
}
