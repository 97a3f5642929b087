/** hosts.allow and hosts.deny (hosts_access(5)), as lists of addresses. */
import {
  type AddressRule,
  type AddressRules,
  firstMatch,
  maskedNetwork,
  type Network,
  networksOf,
} from "./access.ts";
import { linesOf, type Source } from "./sources.ts";

/** One line of either file. */
interface HostsRule {
  readonly daemons: readonly string[];
  readonly clients: readonly string[];
  readonly admits: boolean;
  readonly at: string;
}

/** What the two files say of one program. */
export interface HostsVerdict {
  readonly rules: AddressRules;
  /** Lines that keep out clients that no address tells. */
  readonly unclear: readonly string[];
}

/** The two files, for every program that asks libwrap. */
export class HostsAccess {
  readonly #rules: readonly HostsRule[];

  /** @param deny undefined, as `allow`, where there is no such file */
  constructor(allow: Source | undefined, deny: Source | undefined) {
    this.#rules = [...rulesOf(allow, true), ...rulesOf(deny, false)];
  }

  /** What holds for a program by that name. */
  of(daemon: string): HostsVerdict {
    const rules: AddressRule[] = [];
    const unclear: string[] = [];
    for (const { daemons, clients, admits, at } of this.#rules) {
      const isMeant = daemons.some((name) => name === "ALL" || name === daemon);
      // What is said of others alone may be said of this one: EXCEPT, name@host.
      const isMaybe = !isMeant &&
        daemons.some((name) => /^EXCEPT$|@/.test(name));
      const hasExcept = [...daemons, ...clients].includes("EXCEPT");
      if (!isMeant && !isMaybe) continue;
      const networks = clients.map(clientNetworks);
      if (!admits && (isMaybe || networks.some((list) => list.length === 0))) {
        unclear.push(at);
      }
      if (isMaybe || hasExcept && admits) continue;
      for (const network of networks.flat()) rules.push({ network, admits });
    }
    return { rules: firstMatch(rules, true), unclear };
  }
}

function rulesOf(source: Source | undefined, admits: boolean): HostsRule[] {
  if (source === undefined) return [];
  const rules: HostsRule[] = [];
  let held = "";
  for (const { place, text } of linesOf(source)) {
    if (text.endsWith("\\")) {
      held += text.slice(0, -1);
      continue;
    }
    const line = (held + text).trim();
    held = "";
    if (line === "" || line.startsWith("#")) continue;
    // The colons of an IPv6 address stand in brackets.
    const [daemons = "", clients = "", ...options] =
      line.match(/(?:\[[^\]]*\]|[^:])+/g) ?? [];
    const words = options.map((option) => option.trim().toLowerCase());
    const verdict = words.includes("deny")
      ? false
      : words.includes("allow")
      ? true
      : admits;
    // An option such as twist may serve something else in its place.
    const isPlain = words.every((word) => word === "deny" || word === "allow");
    if (verdict && !isPlain) continue;
    rules.push({
      daemons: wordsOf(daemons),
      clients: wordsOf(clients),
      admits: verdict,
      at: `${place.file}:${place.line}`,
    });
  }
  return rules;
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

/** The addresses of a pattern; none where it is about names, users or groups. */
function clientNetworks(pattern: string): readonly Network[] {
  if (pattern === "ALL") return networksOf("any");
  const [, start] = /^((?:\d{1,3}\.){1,3})$/.exec(pattern) ?? [];
  if (start !== undefined) {
    const parts = start.split(".").slice(0, -1);
    const address = [...parts, "0", "0", "0"].slice(0, 4).join(".");
    return networksOf(`${address}/${parts.length * 8}`);
  }
  const [, host, mask] = /^([\d.]+)\/([\d.]+)$/.exec(pattern) ?? [];
  if (mask?.includes(".")) return maskedNetwork(host!, mask);
  const [, v6, bits = ""] = /^\[([^\]]*)\](\/\d+)?$/.exec(pattern) ?? [];
  return networksOf(v6 === undefined ? pattern : `${v6}${bits}`);
}
