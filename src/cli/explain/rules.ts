/** Why a client gets what it gets: the rules of a table, line by line. */
import { type Endpoint, formatEndpoint } from "../../endpoint.ts";
import { isHostName } from "../../parse_endpoint.ts";
import { type Access, type Prefix, readPrefixes } from "../../policy/access.ts";
import type { CertificateList } from "../../policy/certificates.ts";
import type { Asking } from "../../policy/decide.ts";
import { serviceOf, servicesOf, settingsOf } from "../../table/files/dump.ts";
import { type KeyPath, Problems } from "../../table/problem.ts";
import type { ProxyVersion, Service } from "../../table/service.ts";
import { nameBySni } from "../../tls/sni_names.ts";
import type { LoadedTable } from "../load.ts";

/** A rule's name, and what it says of the client. */
export type Rule = readonly [name: string, text: string];

type Values = Readonly<Record<string, unknown>>;

/** The limits that a client may run into, of the server and of services. */
const LIMITS = [
  "max_connections",
  "max_connections_per_source",
  "rate",
  "rate_pause",
  "rate_per_source",
];

/** The rules of a table, with the places where it says them. */
export class Rules {
  readonly #table: LoadedTable["table"];
  readonly #places: Problems;
  readonly #server: Values;
  readonly #services: Readonly<Record<string, Values>>;

  constructor({ table, file, documents }: LoadedTable) {
    this.#table = table;
    this.#places = new Problems(file, table.located);
    this.#server = settingsOf(documents);
    this.#services = servicesOf(documents);
  }

  /** The time zone of a service's hours; undefined for the system's. */
  zoneOf(service: Service | undefined): string | undefined {
    const own = service && this.#services[service.name]!["time_zone"];
    return (own ?? this.#table.server.timeZone) as string | undefined;
  }

  ofServer({ peer }: Asking): Rule[] {
    const { access, certificates } = this.#table.server;
    const path = ["server"];
    const text = this.#access(access, this.#server, path, peer.remote);
    return [
      ["server access", text],
      ...this.#certificates("server certificate", certificates, path, peer),
    ];
  }

  /** The place of what demands a certificate of each client by TLS. */
  placeOfDemand(): string {
    const tls = this.#server["tls"] as Values | undefined;
    const isSaid = typeof tls?.["client_certificate"] === "string";
    const key = isSaid ? "client_certificate" : "client_ca";
    return this.#at(["server", "tls", key]);
  }

  #certificates(
    name: string,
    list: CertificateList,
    path: KeyPath,
    { tls }: Asking["peer"],
  ): Rule[] {
    if (list.admitsAll) return [];
    const key = [...path, "allow_certificate"];
    const rule = list.ruleFor(tls?.certificate);
    if (rule === undefined) {
      const why = tls?.certificate === undefined
        ? "the client shows no certificate"
        : "allow_certificate has none of its names";
      return [[name, `keeps out: ${why}${this.#at(key)}`]];
    }
    const place = this.#at([...key, list.rules.indexOf(rule)]);
    const text = JSON.stringify(rule.text);
    return [[name, `lets in: allow_certificate has ${text}${place}`]];
  }

  /** @param via the address of a proxy that says who the client is */
  ofProxy(via: string): Rule {
    const { trustedProxies } = this.#table.server;
    const isTrusted = trustedProxies.keepsOut(via) === undefined;
    const entry = isTrusted ? trustedProxies.entryFor(via) : undefined;
    const path = ["server", "trusted_proxies"];
    if (entry === undefined) {
      const why = "trusted_proxies does not have the address";
      return ["proxy", `${via} is not trusted: ${why}${this.#at(path)}`];
    }
    const written = this.#server["trusted_proxies"] as readonly string[];
    const index = written.findIndex((text) => stands(entry.prefix, text));
    const text = JSON.stringify(written[index]);
    const place = this.#at([...path, index]);
    return ["proxy", `${via} is trusted: trusted_proxies has ${text}${place}`];
  }

  ofHelp(): Rule {
    const place = this.#at(["server", "help"]);
    return ["HELP", this.#table.server.help ? "is answered" : `is off${place}`];
  }

  /** @param asked as the client spells it */
  ofService(service: Service, asked: string, asking: Asking): Rule[] {
    const { name, access, certificates, enabled } = service;
    const { peer } = asking;
    const path = ["services", name];
    const written = this.#services[name]!;
    const values = serviceOf(written, this.#server);
    return [
      ...this.ofServer(asking),
      ["name", this.#name(service, asked)],
      ...this.#otherNames(service),
      ["enabled", enabled ? "yes" : `no${this.#at([...path, "enabled"])}`],
      ["service access", this.#access(access, values, path, peer.remote)],
      ...this.#certificates("service certificate", certificates, path, peer),
      ["hours", this.#hours(service, written, asking.now)],
      ["limits of server", limitsOf(this.#server)],
      ["limits of service", limitsOf(values)],
      ["opens", opened(service)],
    ];
  }

  #name({ name, aliases }: Service, asked: string): string {
    const place = this.#at(["services", name]);
    const index = aliases.findIndex((alias) =>
      alias.toUpperCase() === asked.toUpperCase()
    );
    return index < 0
      ? `${name}${place}`
      : `${aliases[index]} is an alias of ${name}${place}`;
  }

  /** How clients get the service that do not know TCPMUX. */
  #otherNames(service: Service): Rule[] {
    const { byName, server: { tls, firstBytes = [] } } = this.#table;
    const lines: Rule[] = [];
    const names = tls?.sniNames ?? [];
    const domains = names === true ? ["*"] : names;
    if (domains.length > 0) {
      const hosts = hostsOf(service, domains).filter((sni) => {
        const name = nameBySni({ sni, alpn: [] }, names, byName);
        return byName.get(name?.toUpperCase() ?? "") === service;
      });
      const text = hosts.join(", ") || "none: no name of it is that of a host";
      const place = this.#at(["server", "tls", "sni_names"]);
      lines.push(["hosts", `${text}${place}`]);
    }
    for (const { bytes, service: name } of firstBytes) {
      if (byName.get(name.toUpperCase()) !== service) continue;
      const key = String.fromCharCode(...bytes);
      const place = this.#at(["server", "first_bytes", key]);
      lines.push(["first bytes", `${JSON.stringify(key)}${place}`]);
    }
    return lines;
  }

  #access(
    access: Access,
    values: Values,
    path: KeyPath,
    remote: Endpoint,
  ): string {
    if (remote.transport === "unix") {
      return "not asked: a client of a Unix socket has no address";
    }
    if (access.admitsAll) return "for all: allow and deny are empty";
    const entry = access.entryFor(remote.host);
    if (entry === undefined) {
      return access.keepsOut(remote.host) === undefined
        ? "lets in: deny does not have the address"
        : `keeps out: allow does not have the address${
          this.#at([...path, "allow"])
        }`;
    }
    const { list, prefix } = entry;
    const written = values[list] as readonly string[];
    const index = written.findIndex((text) => stands(prefix, text));
    const verb = list === "allow" ? "lets in" : "keeps out";
    const text = JSON.stringify(written[index]);
    return `${verb}: ${list} has ${text}${this.#at([...path, list, index])}`;
  }

  #hours({ name, hours }: Service, { hours: written }: Values, now: number) {
    if (hours === undefined) return "always";
    const state = hours.include(now) ? "open" : "closed";
    const place = this.#at(["services", name, "hours"]);
    return `${state} at ${hours.clockAt(now)}: ${
      JSON.stringify(written)
    }${place}`;
  }

  #at(path: KeyPath): string {
    return ` (${this.#places.placeOf(path)})`;
  }
}

/** The hosts that may stand for a service. */
function hostsOf(
  { name, aliases }: Service,
  domains: readonly string[],
): readonly string[] {
  return [name, ...aliases].map((name) => name.toLowerCase())
    .filter(isHostName)
    .flatMap((name) => [
      ...name.includes(".") ? [name] : [],
      ...domains.map((domain) => `${name}.${domain}`),
    ]);
}

/** Whether the text of a list's entry says this prefix. */
function stands({ address, length }: Prefix, text: string): boolean {
  const read = readPrefixes(text);
  return typeof read !== "string" &&
    read.some((one) => one.address === address && one.length === length);
}

function limitsOf(values: Values): string {
  const set = LIMITS.filter((key) => {
    const value = values[key];
    return typeof value === "string" || typeof value === "number" && value > 0;
  });
  return set.map((key) => `${key} = ${JSON.stringify(values[key])}`)
    .join(", ") || "none";
}

/** What the server opens for a client of the service. */
function opened(service: Service): string {
  switch (service.kind) {
    case "connect":
      return `a connection to ${
        service.upstreams.map(formatEndpoint).join(", else ")
      }${announced(service.proxyProtocol)}`;
    case "tcpmux":
      return `the service ${service.remoteName} of ${
        formatEndpoint(service.upstream)
      }${announced(service.proxyProtocol)}`;
    case "exec": {
      const user = service.user === "" ? "" : ` as ${service.user}`;
      return `the program ${JSON.stringify(service.exec)}${user}`;
    }
    case "builtin":
      return `the built-in service ${service.builtin}`;
    case "text":
      return "a text";
    case "handler":
      return "a function"; // which no file can have
  }
}

/** How the other server learns who the client is, if it does. */
function announced(version: ProxyVersion | undefined): string {
  return version === undefined
    ? ""
    : `, with a PROXY header of version ${version}`;
}
