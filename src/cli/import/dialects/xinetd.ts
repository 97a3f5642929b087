/** xinetd's configuration (xinetd.conf(5)): its services. */
import { basename } from "node:path";
import { BUILTINS } from "../../../table/service.ts";
import { type AddressRules, ADMIT_ALL, both, boundRules } from "../access.ts";
import { type Context, listenText } from "../dialect.ts";
import { Draft, type Imported } from "../draft.ts";
import { portOf, type Source } from "../sources.ts";
import { isTcpd, setAccess, setProgram } from "./program.ts";
import {
  Attributes,
  type Block,
  readXinetdFiles,
  whyOff,
  type XinetdFile,
} from "./xinetd_file.ts";
import { listenerOf, serverOf } from "./xinetd_listener.ts";
import {
  accessTimes,
  bothTimes,
  hoursText,
  type Range,
  setLimits,
  setProgramSettings,
  xinetdRules,
} from "./xinetd_policy.ts";

const DIFFERENCES = [
  "Programs get an environment of their own, what env says, and what passenv " +
  "lets through; xinetd gave them all of its own.",
  "Standard error goes to the log; xinetd gave it to the client " +
  '(stderr = "client").',
  "Programs are in all groups of their user; with xinetd they were so only " +
  "with groups = yes.",
];

/** Reads its files, and those that they include. */
export function importXinetd(
  sources: readonly Source[],
  context: Context,
): Imported {
  const found = readXinetdFiles(sources, context.files, context.report);
  const isListener = ({ name, attributes }: Block) =>
    name === "tcpmux" &&
    attributes.some(({ name, values }) =>
      name === "type" && values.includes("INTERNAL")
    );
  const listeners = found.services.filter(isListener).flatMap((block) =>
    listenerOf(block, found, context) ?? []
  );
  const times = listeners.map(({ times }) => times)
    .reduce(bothTimes, undefined);
  const drafts = found.services.filter((block) => !isListener(block))
    .flatMap((block) => {
      const draft = serviceOf(block, found, times, context);
      if (draft?.reached === "by name" && listeners.length === 0) {
        draft.close("no service tcpmux of xinetd's own is enabled");
      }
      return draft ?? [];
    });
  if (found.defaults !== undefined) {
    const { place } = found.defaults;
    const defaults = new Draft("defaults", place, "by port", context.report);
    sayUnused(defaults, new Attributes(found.defaults, undefined));
  }
  return {
    server: serverOf(listeners),
    drafts,
    differences: DIFFERENCES,
    wins: "first",
  };
}

/** Undefined for what TCPMUX cannot carry. */
function serviceOf(
  block: Block,
  found: XinetdFile,
  times: readonly Range[] | undefined,
  context: Context,
): Draft | undefined {
  const attributes = new Attributes(block, found.defaults);
  const { name, place } = block;
  const types = attributes.one("type")?.values ?? [];
  const isMux = types.some((type) => /^TCPMUX(PLUS)?$/.test(type));
  const drop = (why: string): undefined =>
    void context.report.add("dropped", place, `${name}: ${why}`);
  const socket = attributes.word("socket_type");
  const protocol = attributes.word("protocol");
  if (!isMux) {
    if (types.includes("RPC")) return drop("RPC is not carried by TCPMUX");
    if (socket !== "stream" || (protocol ?? "tcp") !== "tcp") {
      return drop(
        `${
          [socket ?? "no socket_type", protocol ?? []].flat().join(" ")
        } is not ` +
          "carried by TCPMUX, which is TCP",
      );
    }
    if (attributes.word("wait") !== "no") {
      return drop("it is given the listening socket (wait = yes)");
    }
  }
  const draft = new Draft(
    name,
    place,
    isMux ? "by name" : "by port",
    context.report,
  );
  for (const fault of block.faults) {
    draft.close(`xinetd does not take it: ${fault}`);
  }
  const off = whyOff(block, found);
  if (off !== undefined) draft.close(off);
  if (found.isPartial) {
    draft.close("a file that is missing may have limited who may use it");
  }
  if (isMux) checkMux(draft, attributes, types);
  setKind(draft, attributes, types, context);
  const server = attributes.word("server") ?? name;
  const args = attributes.one("server_args")?.values ?? [];
  const daemon = attributes.word("libwrap") ??
    basename(isTcpd(server) ? args[0] ?? server : server);
  const isWrapped = !attributes.one("flags")?.values.includes("NOLIBWRAP") ||
    isTcpd(server);
  setAccess(
    draft,
    both(xinetdRules(attributes, draft), xinetdBound(attributes, draft)),
    isWrapped ? context.hosts : undefined,
    daemon,
  );
  setLimits(draft, attributes);
  setTimes(draft, attributes, times);
  setFlags(draft, attributes);
  sayUnused(draft, attributes);
  return draft;
}

/** Whom the address lets in that it listened on. */
function xinetdBound(attributes: Attributes, draft: Draft): AddressRules {
  const address = attributes.address;
  if (address === undefined) return ADMIT_ALL;
  const { name, values, place } = address;
  if (draft.reached === "by port") return boundRules(draft, values, place);
  if (attributes.own.includes(address)) {
    draft.dropped(`${name} has no effect under TCPMUX`, place);
  }
  return ADMIT_ALL;
}

/** What xinetd demands of a service of TCPMUX before it takes it. */
function checkMux(
  draft: Draft,
  attributes: Attributes,
  types: readonly string[],
): void {
  const refused = (why: string) =>
    draft.close(`xinetd does not take it: ${why}`);
  if (!types.includes("UNLISTED")) refused("its type lacks UNLISTED");
  const socket = attributes.word("socket_type");
  if (socket !== "stream") refused("its socket_type must be stream");
  if ((attributes.word("protocol") ?? "tcp") !== "tcp") {
    refused("its protocol must be tcp");
  }
  const wait = attributes.one("wait");
  if (wait === undefined) refused("it has no wait");
  else if (wait.values[0] !== "no") {
    draft.dropped("wait = yes has no effect under TCPMUX", wait.place);
  }
}

/** What it does: a program, another server, or a service of our own. */
function setKind(
  draft: Draft,
  attributes: Attributes,
  types: readonly string[],
  { files }: Context,
): void {
  const builtin = BUILTINS.find((one) => one === draft.name);
  if (types.includes("INTERNAL")) {
    if (builtin !== undefined) draft.keys.builtin = builtin;
    else draft.discard("there is no such built-in service");
    return;
  }
  const redirect = attributes.one("redirect");
  if (redirect !== undefined) {
    const [host = "", service = ""] = redirect.values;
    const address = listenText(host, portOf(service, files) ?? 0);
    if (address === undefined || address.endsWith(":0")) {
      return draft.discard(
        `redirect = ${redirect.values.join(" ")} is no address`,
      );
    }
    draft.keys.connect = address;
    if (draft.reached === "by name") {
      draft.changed("xinetd never sent the + of a redirect", redirect.place);
    }
    return;
  }
  const server = attributes.word("server");
  if (server === undefined) return draft.discard("it has no server");
  if (types.includes("TCPMUX")) draft.keys.reply = "service";
  const args = attributes.one("server_args")?.values ?? [];
  const flags = attributes.one("flags")?.values ?? [];
  const isNamed = flags.includes("NAMEINARGS");
  if (isNamed && args.length === 0) draft.close("NAMEINARGS needs server_args");
  const [name = ""] = args;
  setProgram(
    draft,
    isNamed
      ? { server, name, args: args.slice(1) }
      : { server, name: basename(server), args },
  );
  if (isTcpd(server) && !isNamed) draft.close("tcpd needs NAMEINARGS");
  const [user, group] = [attributes.word("user"), attributes.word("group")];
  if (user === undefined) {
    draft.close("it has no user, and xinetd refuses that");
  } else draft.keys.user = user;
  if (group !== undefined) draft.keys.group = group;
  setProgramSettings(draft, attributes);
}

function setTimes(
  draft: Draft,
  attributes: Attributes,
  listeners: readonly Range[] | undefined,
): void {
  const own = accessTimes(attributes);
  if (own === "unreadable") {
    return draft.close("its access_times cannot be read");
  }
  const ranges = bothTimes(own, listeners);
  if (ranges === undefined) return;
  if (ranges.length === 0) return draft.close("its access_times hold no time");
  draft.keys.hours = hoursText(ranges);
  if (own !== undefined && draft.reached === "by name") {
    draft.changed(
      "access_times are hours, which xinetd did not hold to under TCPMUX, and " +
        "now are",
      attributes.one("access_times")!.place,
    );
  }
}

/** Those that change nothing here, or are spoken of elsewhere. */
const HARMLESS = [
  "DISABLE",
  "IPv4",
  "IPv6",
  "KEEPALIVE",
  "NAMEINARGS",
  "NODELAY",
  "NOLIBWRAP",
  "REUSE",
];
const CLOSING: Readonly<Record<string, string>> = {
  SENSOR: "it is a trap (SENSOR), and served nobody",
  LABELED: "its program took the label of the connection (LABELED)",
};

function setFlags(draft: Draft, attributes: Attributes): void {
  const flags = attributes.one("flags");
  for (const flag of flags?.values ?? []) {
    if (HARMLESS.includes(flag)) continue;
    const closing = CLOSING[flag];
    if (closing !== undefined) draft.close(closing);
    else if (/^(IDONLY|INTERCEPT|NORETRY)$/.test(flag)) {
      draft.dropped(`${flag} has no effect under TCPMUX`, flags!.place);
    } else draft.close(`xinetd does not take it: the flag ${flag}`);
  }
}

/** Attributes that were read above. */
const READ =
  "access_times bind cps disable disabled enabled env flags group id instances " +
  "interface libwrap nice no_access only_from passenv per_source port " +
  "protocol redirect rlimit_as rlimit_cpu rlimit_data rlimit_files rlimit_rss " +
  "rlimit_stack server server_args socket_type type umask user v6only wait";
const UNUSED: Readonly<Record<string, string>> = {
  banner: "a banner before the reply would break TCPMUX",
  banner_fail: "a banner in place of the reply would break TCPMUX",
  banner_success: "a banner before the reply would break TCPMUX",
  deny_time: "there are no sensors; penalties keep out who guesses names",
  groups: "programs are in all groups of their user",
  log_on_failure: "the log has one line for each connection, with all of it",
  log_on_success: "the log has one line for each connection, with all of it",
  log_type: "the log goes to standard error",
  max_load: "nothing is refused by load, nor was it under TCPMUX",
  mdns: "services are not announced by mDNS",
};

/** Says of everything that is not in the table why it is not. */
function sayUnused(draft: Draft, attributes: Attributes): void {
  const isRead = READ.split(" ");
  for (const { name, place } of attributes.own) {
    if (isRead.includes(name)) continue;
    const why = Object.hasOwn(UNUSED, name) ? UNUSED[name] : undefined;
    draft.dropped(`${name}: ${why ?? "xinetd does not know it either"}`, place);
  }
}
