/** haproxy.cfg: frontends in TCP mode become services that clients name. */
import { isIP } from "node:net";
import { TCPMUX_PORT } from "../../../endpoint.ts";
import { readEndpoint } from "../../../parse_endpoint.ts";
import {
  ADMIT_ALL,
  ADMIT_NOBODY,
  admitOnly,
  areLoopback,
  both,
  LOOPBACK_ONLY,
} from "../access.ts";
import { type Context, countOf, listenText, NOWHERE } from "../dialect.ts";
import { Draft, type Imported } from "../draft.ts";
import type { Source } from "../sources.ts";
import {
  type Directive,
  haproxyRules,
  having,
  type Section,
  sectionsOf,
} from "./haproxy_file.ts";

/** Reads its sections; only those in TCP mode can be carried by TCPMUX. */
export function importHaproxy(
  sources: readonly Source[],
  context: Context,
): Imported {
  const sections = sectionsOf(sources);
  const fronts: { readonly draft: Draft; readonly hosts: readonly string[] }[] =
    [];
  const used = new Set<Section>();
  for (const front of sections) {
    if (front.kind !== "frontend" && front.kind !== "listen") continue;
    const backend = backendOf(front, sections);
    const draft = frontendOf(front, backend, context);
    if (draft === undefined) continue;
    fronts.push({ draft, hosts: hostsOf(front) });
    if (backend !== undefined) used.add(backend);
  }
  const listen = fronts.find(({ draft }) => draft.closed.length === 0)?.hosts ??
    [];
  const anywhere = listen.length === 0 ? ["0.0.0.0"] : listen;
  for (const { draft, hosts } of fronts) {
    if (hosts.length === 0) continue;
    if (!anywhere.every((host) => isWithin(host, hosts))) {
      draft.close(`it listened on ${hosts.join(" and ")} alone`);
    }
  }
  const drafts = fronts.map(({ draft }) => draft);
  for (const backend of sections.filter(({ kind }) => kind === "backend")) {
    if (used.has(backend) || modeOf(backend) !== "tcp") continue;
    const { name, place } = backend;
    const draft = new Draft(name, place, "by port", context.report);
    connectTo(draft, backend);
    drafts.push(draft);
  }
  const addresses = listen.map((host) => listenText(host, TCPMUX_PORT)!);
  return {
    server: {
      comments: [
        "HAProxy had a port for each frontend; here a name tells them apart, at " +
        `port ${TCPMUX_PORT} of the first one's addresses.`,
      ],
      keys: { listen: addresses.length === 0 ? [NOWHERE] : addresses },
    },
    drafts,
    differences: [
      "Of several servers the first that answers is used: nothing is balanced.",
    ],
    wins: "first",
  };
}

function modeOf(section: Section): string {
  return having(section, "mode")[0]?.words[1] ?? "tcp";
}

/** Where it leads: its own servers, or those of its default. */
function backendOf(
  front: Section,
  sections: readonly Section[],
): Section | undefined {
  const name = having(front, "default_backend")[0]?.words[1];
  return sections.find((one) => one.kind === "backend" && one.name === name) ??
    (front.kind === "listen" ? front : undefined);
}

/** Undefined for what TCPMUX cannot carry, which is in the report. */
function frontendOf(
  front: Section,
  backend: Section | undefined,
  { report }: Context,
): Draft | undefined {
  const { name, place } = front;
  if (modeOf(front) !== "tcp") {
    report.add("dropped", place, `${name}: HTTP mode is not carried by TCPMUX`);
    return;
  }
  const draft = new Draft(name, place, "by name", report);
  for (const { words, place } of having(front, "use_backend")) {
    draft.dropped(
      `use_backend ${words[1] ?? ""}: names choose, and not what clients send`,
      place,
    );
  }
  if (backend === undefined) draft.discard("it has no default_backend");
  else connectTo(draft, backend);
  if (having(front, "disabled").length > 0) draft.close("it is disabled");
  for (const { words } of having(front, "bind")) {
    if (words.includes("ssl")) {
      draft.close("TLS ended here, and does not in a table");
    }
    if (words.some((word) => /^accept-/.test(word))) {
      draft.close("it took the client's address from a PROXY header");
    }
  }
  if (hostsOf(front).length === 0) {
    draft.close("it has no address to listen on");
  }
  const most = countOf(having(front, "maxconn")[0]?.words[1]);
  if (most) draft.keys.max_connections = most;
  setRules(draft, front, backend);
  setTimeouts(draft, front, backend ?? front);
  return draft;
}

function setRules(
  draft: Draft,
  front: Section,
  backend: Section | undefined,
): void {
  const read = [front, ...backend === undefined ? [] : [backend]]
    .map(haproxyRules);
  const rules = read.flatMap((one) => typeof one === "string" ? [] : one);
  for (const at of read.filter((one) => typeof one === "string")) {
    draft.close(`${at} looks at more than addresses`);
  }
  const isClear = rules.length === read.length;
  const bound = areLoopback(hostsOf(front)) ? LOOPBACK_ONLY : ADMIT_ALL;
  admitOnly(draft, isClear ? rules.reduce(both, bound) : ADMIT_NOBODY);
}

/** The servers of a section, those for need last. */
function connectTo(draft: Draft, backend: Section): void {
  const servers = having(backend, "server")
    .filter(({ words }) => !words.includes("disabled"));
  const isSpare = ({ words }: Directive) => words.includes("backup");
  const addresses: string[] = [];
  for (
    const one of [
      ...servers.filter((one) => !isSpare(one)),
      ...servers.filter(isSpare),
    ]
  ) {
    const { words, place } = one;
    const address = serverAddress(words[2] ?? "");
    if (address === undefined) {
      draft.dropped(`${words[2] ?? "server"} is no address with a port`, place);
    } else addresses.push(address);
    if (words.some((word) => word === "ssl")) {
      draft.close("its server is reached by TLS, which a table has not");
    }
  }
  setHeader(draft, servers);
  if (addresses.length > 0) draft.keys.connect = addresses;
  else draft.discard("it has no server");
}

/** A service has one version of the PROXY header for all of its servers. */
function setHeader(draft: Draft, servers: readonly Directive[]): void {
  const versions = new Set(servers.map(({ words }) => {
    const sent = words.filter((word) => word.startsWith("send-proxy"));
    if (sent.length === 0) return undefined;
    return sent.includes("send-proxy") ? 1 : 2;
  }));
  const [version] = versions;
  if (versions.size > 1) {
    draft.changed("its servers get no PROXY header: not all of them did");
  } else if (version !== undefined) draft.keys.proxy_protocol = version;
}

function serverAddress(text: string): string | undefined {
  const plain = text.replace(/^ipv[46]@/, "").replace(/^unix@/, "");
  const [, v6, port] = /^([\da-f:]*:[\da-f:]*):(\d+)$/i.exec(plain) ?? [];
  const address = plain.startsWith("/")
    ? `unix:${plain}`
    : v6 !== undefined && isIP(v6) === 6
    ? `[${v6}]:${port}`
    : plain;
  const read = readEndpoint(address);
  const isAny = typeof read !== "string" && read.transport === "tcp" &&
    read.port === 0;
  return typeof read === "string" || isAny ? undefined : address;
}

/** The hosts that it listened on; none where it is more than these. */
function hostsOf(front: Section): readonly string[] {
  const hosts = having(front, "bind").flatMap(({ words }) =>
    (words[1] ?? "").split(",").map((text) => {
      const [, host] = /^(?:ipv[46]@)?\[?([^\]]*?)\]?:[\d-]+$/.exec(text) ?? [];
      const named = host === "" || host === "*" ? "0.0.0.0" : host;
      return named !== undefined && listenText(named, TCPMUX_PORT) !== undefined
        ? named
        : undefined;
    })
  );
  return hosts.includes(undefined)
    ? []
    : [...new Set(hosts as readonly string[])];
}

function isWithin(host: string, hosts: readonly string[]): boolean {
  return hosts.includes(host) || hosts.includes("::") && isIP(host) !== 0 ||
    hosts.includes("0.0.0.0") && isIP(host) === 4;
}

const UNITS = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function setTimeouts(draft: Draft, front: Section, backend: Section): void {
  const time = (section: Section, name: string) => {
    const text = having(section, "timeout", name)[0]?.words[2] ?? "";
    const [, digits, unit = "ms"] = /^(\d{1,9})(us|ms|s|m|h|d)?$/.exec(text) ??
      [];
    const total = Number(digits) * UNITS[unit as keyof typeof UNITS];
    return total >= 1 ? Math.ceil(total / 1000) : undefined;
  };
  const connect = time(backend, "connect");
  if (connect !== undefined) draft.keys.connect_timeout = seconds(connect);
  const idle = [time(front, "client"), time(backend, "server")]
    .filter((one) => one !== undefined);
  if (idle.length > 0) draft.keys.idle_timeout = seconds(Math.min(...idle));
}

function seconds(count: number): `${number}s` {
  return `${Math.min(count, 999_999_999)}s`;
}
