/** Who may come in: rules of others as `allow` and `deny` of the table. */
import { AddressSet, type Prefix, readPrefixes } from "../../policy/access.ts";
import type { Draft } from "./draft.ts";
import type { Place } from "./report.ts";

/** The addresses of one prefix. */
export class Network {
  readonly prefix: Prefix;
  readonly #addresses: AddressSet;

  constructor(prefix: Prefix) {
    this.prefix = prefix;
    this.#addresses = new AddressSet([prefix]);
  }

  holds({ prefix: { family, length, address } }: Network): boolean {
    return this.prefix.family === family && this.prefix.length <= length &&
      this.#addresses.has(address);
  }

  /** As the table has it. */
  toString(): string {
    const { address, family, length } = this.prefix;
    return length === (family === "ipv4" ? 32 : 128)
      ? address
      : `${address}/${length}`;
  }
}

/** `ADDRESS`, `ADDRESS/BITS` or `any`; none for what is none of these. */
export function networksOf(text: string): readonly Network[] {
  const read = readPrefixes(text);
  return typeof read === "string"
    ? []
    : read.map((prefix) => new Network(prefix));
}

/** An address with a netmask in dots; none for what is none. */
export function maskedNetwork(
  address: string,
  mask: string,
): readonly Network[] {
  const bits = mask.split(".")
    .map((part) => Number(part).toString(2).padStart(8, "0")).join("");
  if (!/^(?=[01]{32}$)1*0*$/.test(bits)) return [];
  return networksOf(`${address}/${bits.replaceAll("0", "").length}`);
}

export interface AddressRule {
  readonly network: Network;
  readonly admits: boolean;
}

/** Rules of which the longest prefix decides, as those of the table. */
export interface AddressRules {
  readonly rules: readonly AddressRule[];
  /** For an address that no prefix holds. */
  readonly otherwise: boolean;
}

export const ADMIT_ALL: AddressRules = { rules: [], otherwise: true };
export const ADMIT_NOBODY: AddressRules = { rules: [], otherwise: false };

/**
 * Rules of lists in which a match in `deny` keeps out whatever `allow` says,
 * as xinetd reads its own.
 *
 * @param allow undefined where everybody may come in
 */
export function denyFirst(
  allow: readonly Network[] | undefined,
  deny: readonly Network[],
): AddressRules {
  const isIn = (list: readonly Network[], network: Network) =>
    list.some((outer) => outer.holds(network));
  return {
    rules: [...allow ?? [], ...deny].map((network) => ({
      network,
      admits: !isIn(deny, network) &&
        (allow === undefined || isIn(allow, network)),
    })),
    otherwise: allow === undefined,
  };
}

/** Rules of which the first that matches decides, as in hosts.allow. */
export function firstMatch(
  rules: readonly AddressRule[],
  otherwise: boolean,
): AddressRules {
  const texts = rules.map(({ network }) => String(network));
  const first = rules.filter((_, index) =>
    texts.indexOf(texts[index]!) === index
  );
  return {
    rules: first.filter(({ network }, index) =>
      !first.slice(0, index).some((earlier) => earlier.network.holds(network))
    ),
    otherwise,
  };
}

/** Rules that admit whom both admit. */
export function both(a: AddressRules, b: AddressRules): AddressRules {
  return {
    rules: [...a.rules, ...b.rules].map(({ network }) => ({
      network,
      admits: admits(a, network) && admits(b, network),
    })),
    otherwise: a.otherwise && b.otherwise,
  };
}

/** Rules that admit whom one of them admits. */
export function either(a: AddressRules, b: AddressRules): AddressRules {
  return {
    rules: [...a.rules, ...b.rules].map(({ network }) => ({
      network,
      admits: admits(a, network) || admits(b, network),
    })),
    otherwise: a.otherwise || b.otherwise,
  };
}

/** Whether a network comes in, but for what longer prefixes say of its parts. */
function admits({ rules, otherwise }: AddressRules, network: Network): boolean {
  const longest = rules.filter((rule) => rule.network.holds(network))
    .toSorted((a, b) => b.network.prefix.length - a.network.prefix.length)[0];
  return longest?.admits ?? otherwise;
}

/** The same rules without those that change nothing. */
export function shortened({ rules, otherwise }: AddressRules): AddressRules {
  const byText = new Map(rules.map((rule) => [String(rule.network), rule]));
  const [v4, v6] = [byText.get("0.0.0.0/0"), byText.get("::/0")];
  if (v4 !== undefined && v4.admits === v6?.admits) otherwise = v4.admits;
  for (const [text, rule] of [...byText]) {
    byText.delete(text);
    const others = { rules: [...byText.values()], otherwise };
    if (admits(others, rule.network) !== rule.admits) byText.set(text, rule);
  }
  return { rules: [...byText.values()], otherwise };
}

/** The lists of the table; undefined where they let nobody in. */
export function listsOf(
  all: AddressRules,
): { allow?: string[]; deny?: string[] } | undefined {
  const { rules, otherwise } = shortened(all);
  const listed = (which: boolean) => [
    ...new Set(
      rules.filter(({ admits }) => admits === which)
        .map(({ network }) => String(network)),
    ),
  ];
  const [allow, deny] = [listed(true), listed(false)];
  if (!otherwise) return allow.length === 0 ? undefined : { allow, deny };
  if (deny.length === 0) return {};
  // A list of `allow` would keep out whoever is in neither.
  return allow.length === 0 ? { deny } : { allow: ["any", ...allow], deny };
}

/**
 * Gives a service the lists. Where these let nobody in it is closed, and stays
 * so for whoever sets `enabled` alone.
 */
export function admitOnly(draft: Draft, rules: AddressRules): void {
  const lists = listsOf(rules);
  Object.assign(draft.keys, lists ?? { deny: ["any"] });
  if (lists === undefined && draft.closed.length === 0) {
    draft.close("its lists of addresses let nobody in");
  }
}

/** The clients of this machine alone. */
const THIS_MACHINE = [...networksOf("127.0.0.0/8"), ...networksOf("::1")];

export const LOOPBACK_ONLY: AddressRules = {
  rules: THIS_MACHINE.map((network) => ({ network, admits: true })),
  otherwise: false,
};

/** Names of its addresses that systems have in /etc/hosts. */
const NAMES =
  /^(localhost[46]?(\.localdomain[46]?)?|.+\.localhost|ip6-(localhost|loopback))$/i;

/** Addresses that stand for all of a machine. */
const ALL = ["0.0.0.0", "::", "*"];

/**
 * Whom the addresses let in that a service listened on, since it has none in a
 * table: it is at all addresses of the server. The report says so.
 *
 * @param hosts none for all
 */
export function boundRules(
  draft: Draft,
  hosts: readonly string[],
  place: Place = draft.place,
): AddressRules {
  if (hosts.length === 0 || hosts.some((host) => ALL.includes(host))) {
    return ADMIT_ALL;
  }
  const where = `it listened on ${hosts.join(" and ")} alone`;
  if (areLoopback(hosts)) {
    draft.changed(`${where}: allow has this machine alone`, place);
    return LOOPBACK_ONLY;
  }
  draft.changed(
    `${where}, and the addresses of this table are for all of its services: ` +
      "say in allow who may use it, or give it a table of its own with that " +
      "listen",
    place,
  );
  return ADMIT_ALL;
}

/** Whether addresses, or names of them, are reached from this machine alone. */
export function areLoopback(hosts: readonly string[]): boolean {
  return hosts.length > 0 && hosts.every((host) => {
    const [network] = networksOf(host);
    return network === undefined
      ? NAMES.test(host)
      : THIS_MACHINE.some((all) => all.holds(network));
  });
}
