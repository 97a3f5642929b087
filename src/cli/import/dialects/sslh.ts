/** sslh.cfg: its protocols become services that clients name. */
import { TCPMUX_PORT } from "../../../endpoint.ts";
import { messageOf } from "../../../errors.ts";
import { ADMIT_ALL } from "../access.ts";
import { type Context, countOf, listenText, NOWHERE } from "../dialect.ts";
import { Draft, type Imported } from "../draft.ts";
import { portOf, type Source } from "../sources.ts";
import {
  type Group,
  isGroup,
  readLibconfig,
  type Setting,
} from "./libconfig.ts";
import { setAccess } from "./program.ts";

export function importSslh(
  sources: readonly Source[],
  context: Context,
): Imported {
  const drafts: Draft[] = [];
  const listen = new Set<string>();
  for (const source of sources) {
    const config = groupOf(source, context);
    for (const at of groupsIn(config, "listen")) {
      const text = listenText(textOf(at, "host") ?? "", TCPMUX_PORT);
      if (
        textOf(at, "host") && text !== undefined &&
        at.settings.get("is_udp") !== true
      ) {
        listen.add(text);
      }
    }
    for (const protocol of groupsIn(config, "protocols")) {
      const draft = protocolOf(protocol, source.file, drafts, context);
      if (draft !== undefined) drafts.push(draft);
    }
  }
  return {
    server: {
      comments: [
        "sslh told its clients by their first bytes; those of TCPMUX say a name, " +
        `at port ${TCPMUX_PORT} of the same addresses.`,
      ],
      keys: { listen: listen.size === 0 ? [NOWHERE] : [...listen] },
    },
    drafts,
    differences: [
      "Clients that ask for no name need tcpmux forward, or tcpmux proxy, on " +
      "their side; or this table needs [server.first_bytes], or sni_names in " +
      "[server.tls].",
    ],
    wins: "first",
  };
}

function groupOf({ file, text }: Source, { report }: Context): Group {
  try {
    return readLibconfig(text);
  } catch (error) {
    const line = Number((error as Error).cause) || 1;
    report.add("dropped", { file, line }, messageOf(error));
    return { line, settings: new Map() };
  }
}

/** Undefined for what is no TCP, or leads nowhere. */
function protocolOf(
  protocol: Group,
  file: string,
  others: readonly Draft[],
  context: Context,
): Draft | undefined {
  const { report, files, hosts } = context;
  const place = { file, line: protocol.line };
  const probe = textOf(protocol, "name") ?? "";
  const name = nameOf(protocol, probe, others);
  const { settings } = protocol;
  if (settings.get("is_udp") === true) {
    report.add("dropped", place, `${name}: UDP is not carried by TCPMUX`);
    return;
  }
  const host = textOf(protocol, "host") ?? "";
  const port = portOf(textOf(protocol, "port") ?? "", files);
  const address = host.startsWith("/")
    ? `unix:${host}`
    : port === undefined || host === ""
    ? undefined
    : listenText(host, port);
  if (address === undefined) {
    report.add(
      "dropped",
      place,
      `${name}: ${host} ${textOf(protocol, "port") ?? ""} is no address`,
    );
    return;
  }
  const draft = new Draft(name, place, "by name", report);
  draft.keys.connect = address;
  const service = textOf(protocol, "service");
  setAccess(draft, ADMIT_ALL, service ? hosts : undefined, service ?? "");
  const most = settings.get("max_connections");
  const count = most === undefined ? undefined : countOf(String(most));
  if (count) draft.keys.max_connections = count;
  if (settings.get("transparent") === true) {
    draft.changed(
      "its server saw the address of the client, and sees that of this machine",
    );
  }
  if (settings.has("proxyprotocol")) {
    draft.changed("its server gets no PROXY header");
  }
  for (const key of ["sni_hostnames", "alpn_protocols", "regex_patterns"]) {
    if (settings.has(key)) {
      draft.dropped(`${key}: its name tells it from others`);
    }
  }
  return draft;
}

/** Several protocols may have one probe: a host name tells them apart. */
function nameOf(
  { settings }: Group,
  probe: string,
  others: readonly Draft[],
): string {
  const [host] = [settings.get("sni_hostnames") ?? []].flat();
  const isTaken = (name: string) =>
    others.some((other) => other.name.toUpperCase() === name.toUpperCase());
  const name = typeof host === "string" ? host : probe;
  if (!isTaken(name)) return name;
  for (let count = 2; count <= others.length + 1; count++) {
    if (!isTaken(`${name}-${count}`)) return `${name}-${count}`;
  }
  return name;
}

function groupsIn({ settings }: Group, name: string): readonly Group[] {
  const list: Setting | undefined = settings.get(name);
  return Array.isArray(list) ? list.filter(isGroup) : [];
}

function textOf({ settings }: Group, name: string): string | undefined {
  const value = settings.get(name);
  return typeof value === "string" || typeof value === "number"
    ? String(value)
    : undefined;
}
