import { BlockList, isIP } from "node:net";
import { canonicalHost } from "../endpoint.ts";

/** All addresses that begin with the same bits (CIDR, RFC 4632 and 4291). */
export interface Prefix {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  /** The number of these bits. */
  readonly length: number;
}

/** The form of a prefix, for messages. */
export const PREFIX_FORM =
  'an address or a prefix such as "10.0.0.0/8" or "2001:db8::/32", or "any"';

const ANY: readonly Prefix[] = [
  { address: "0.0.0.0", family: "ipv4", length: 0 },
  { address: "::", family: "ipv6", length: 0 },
];

/**
 * Reads `ADDRESS`, `ADDRESS/BITS` or `any`. An IPv4 address in the form of an
 * IPv6 one (`::ffff:10.0.0.0/104`) is an IPv4 address.
 *
 * @returns the prefixes, or what is wrong with the text
 */
export function readPrefixes(text: string): readonly Prefix[] | string {
  if (text === "any") return ANY;
  const [, written = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(written);
  if (version === 0 || written.includes("%")) {
    return "it is not an address; host names are not looked up here";
  }
  const most = version === 4 ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  if (length > most) return `the prefix length must be from 0 to ${most}`;
  const address = canonicalHost(written);
  if (isIP(address) === version) {
    return [{ address, family: version === 4 ? "ipv4" : "ipv6", length }];
  }
  if (length < 96) {
    return "the prefix length of an IPv4-mapped address must be at least 96";
  }
  return [{ address, family: "ipv4", length: length - 96 }];
}

/**
 * The same clients behind NAT64 (RFC 6052). Only `deny` takes them along:
 * `allow` trusts a network, which cannot vouch for what a translator passes on.
 */
function behindNat64({ address, length }: Prefix): Prefix {
  return {
    address: `64:ff9b::${address}`,
    family: "ipv6",
    length: 96 + length,
  };
}

/** The prefixes of one length in both lists. */
interface Rank {
  readonly length: number;
  readonly allow: BlockList;
  readonly deny: BlockList;
  /** As the table has them: of `deny`, the same clients behind NAT64 too. */
  readonly entries: AccessEntry[];
}

/** What a table's list says of some addresses. */
export interface AccessEntry {
  readonly list: "allow" | "deny";
  readonly prefix: Prefix;
}

/** What decides about one address. */
interface Match {
  readonly list: "allow" | "deny";
  readonly rank: Rank;
}

/**
 * Which addresses may come in. The longest prefix that an address matches
 * decides; if both lists have that prefix, `deny` does. If no prefix matches,
 * the address may come in only if `allow` is empty.
 */
export class Access {
  #ranks: Record<"ipv4" | "ipv6", Rank[]> = { ipv4: [], ipv6: [] };
  #byDefault: "allow" | undefined;
  /** Whether every address may come in. */
  readonly admitsAll: boolean;

  constructor(allow: readonly Prefix[], deny: readonly Prefix[]) {
    this.admitsAll = allow.length + deny.length === 0;
    this.#byDefault = allow.length > 0 ? "allow" : undefined;
    for (const prefix of allow) this.#add("allow", prefix);
    for (const prefix of deny) {
      this.#add("deny", prefix);
      if (prefix.family === "ipv4") {
        this.#add("deny", behindNat64(prefix), prefix);
      }
    }
    for (const ranks of Object.values(this.#ranks)) {
      ranks.sort((a, b) => b.length - a.length);
    }
  }

  /** @param prefix as the table has it */
  #add(list: "allow" | "deny", added: Prefix, prefix = added): void {
    const { address, family, length } = added;
    const ranks = this.#ranks[family];
    let rank = ranks.find((rank) => rank.length === length);
    if (rank === undefined) {
      const lists = { allow: new BlockList(), deny: new BlockList() };
      rank = { length, ...lists, entries: [] };
      ranks.push(rank);
    }
    rank[list].addSubnet(address, length, family);
    rank.entries.push({ list, prefix });
  }

  /**
   * @param host an address; an IPv4 one in its own form, not as `::ffff:…`
   * @returns the list that keeps the address out: `deny` if it is in there,
   * `allow` if it is missing there; undefined if the address may come in
   */
  keepsOut(host: string): "allow" | "deny" | undefined {
    if (this.admitsAll) return undefined;
    const match = this.#match(host);
    if (match === undefined) return this.#byDefault;
    return match.list === "deny" ? "deny" : undefined;
  }

  /** The entry by which `keepsOut` decides; undefined if none has the address. */
  entryFor(host: string): AccessEntry | undefined {
    const match = this.#match(host);
    return match?.rank.entries.find(({ list, prefix }) =>
      list === match.list &&
      new Access(
          list === "allow" ? [prefix] : [],
          list === "deny" ? [prefix] : [],
        ).#match(host) !== undefined
    );
  }

  /** The longest prefix that an address matches. */
  #match(host: string): Match | undefined {
    const family = isIP(host) === 4 ? "ipv4" : "ipv6";
    const address = family === "ipv6" ? host.replace(/%.*/, "") : host;
    for (const rank of this.#ranks[family]) {
      if (rank.deny.check(address, family)) return { list: "deny", rank };
      if (rank.allow.check(address, family)) return { list: "allow", rank };
    }
  }
}

/** A set of addresses, given by prefixes. */
export class AddressSet {
  #access: Access;

  constructor(prefixes: readonly Prefix[]) {
    this.#access = new Access([], prefixes);
  }

  has(host: string): boolean {
    return this.#access.keepsOut(host) === "deny";
  }
}

export const EVERYBODY = new Access([], []);
export const NOBODY = new Access([], ANY);
