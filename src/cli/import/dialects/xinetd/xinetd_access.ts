/** The addresses of only_from and no_access (xinetd.conf(5)). */
import { isIP } from "node:net";
import {
  type AddressRules,
  ADMIT_NOBODY,
  denyFirst,
  type Network,
  networksOf,
} from "../../access.ts";
import type { Draft } from "../../draft.ts";
import type { Attributes } from "./xinetd_file.ts";

/**
 * What the lists of an entry say. Names that cannot be looked up let nobody in,
 * and where they keep somebody out, the service is closed.
 */
export function xinetdRules(
  attributes: Attributes,
  draft: Draft,
): AddressRules {
  const only = attributes.set("only_from");
  const not = attributes.set("no_access");
  const placeOf = (name: string) => attributes.one(name)?.place ?? draft.place;
  const allow = only?.values.flatMap((word) => {
    const networks = xinetdNetworks(word);
    if (networks.length === 0) {
      draft.dropped(
        `only_from ${word}: it is no address (names are not looked up), and lets nobody in`,
        placeOf("only_from"),
      );
    }
    return networks;
  });
  if (only?.values.length === 0) draft.close("only_from is empty");
  else if (allow?.length === 0) {
    draft.close(`only_from has no address (${only!.values.join(" ")})`);
  }
  if (only !== undefined && only.missing.length > 0) {
    draft.close(
      `only_from -= ${only.missing.join(" ")} takes out what is not in it so`,
    );
  }
  const deny = (not?.values ?? []).map((word) => ({
    word,
    networks: xinetdNetworks(word),
  }));
  const names = deny.filter(({ networks }) => networks.length === 0)
    .map(({ word }) => word);
  if (names.length > 0) {
    draft.close(
      `no_access keeps out ${names.join(" ")}, and names are not looked up`,
    );
  }
  return names.length > 0 || only && only.missing.length > 0
    ? ADMIT_NOBODY
    : denyFirst(allow, deny.flatMap(({ networks }) => networks));
}

/** One word of such a list; none for what is no address. */
export function xinetdNetworks(word: string): readonly Network[] {
  if (isIP(word) === 4) {
    const parts = word.split(".");
    const fixed = parts.findLastIndex((part) => Number(part) !== 0) + 1;
    return networksOf(`${word}/${fixed * 8}`);
  }
  const [, start = "", set] = /^((?:\d{1,3}\.){0,3})\{([\d,]+)\}$/.exec(word) ??
    [];
  if (set !== undefined) {
    return set.split(",").flatMap((last) => partial(`${start}${last}`));
  }
  return /^\d+\.[\d.]+$/.test(word) ? partial(word) : networksOf(word);
}

/** An address of one to four parts, which holds all that begin with them. */
function partial(text: string): readonly Network[] {
  const parts = text.split(".");
  if (parts.length > 4 || parts.some((part) => !/^\d{1,3}$/.test(part))) {
    return [];
  }
  const address = [...parts.map(Number), 0, 0, 0].slice(0, 4).join(".");
  return networksOf(`${address}/${parts.length * 8}`);
}
