/** What `tcp-request` rules of HAProxy say of addresses. */
import {
  type AddressRules,
  ADMIT_ALL,
  both,
  denyFirst,
  type Network,
  networksOf,
} from "../access.ts";
import { having, type Section } from "./haproxy_file.ts";

/**
 * Who may come in by the rules of a section.
 *
 * @returns the rule that is about more than addresses, as its place, where
 * there is one
 */
export function haproxyRules(section: Section): AddressRules | string {
  const rules = section.directives.filter(({ words }) =>
    words[0] === "tcp-request" && /^(accept|reject)$/.test(words[2] ?? "")
  );
  let admitted = ADMIT_ALL;
  for (const { words, place } of rules.toReversed()) {
    const networks = conditionOf(words.slice(3), section);
    if (networks === undefined) return `${place.file}:${place.line}`;
    const { list, isNegated } = networks;
    if (words[2] === "reject") {
      const rule = isNegated ? denyFirst(list, []) : denyFirst(undefined, list);
      admitted = both(rule, admitted);
    } else if (isNegated) return `${place.file}:${place.line}`;
    else admitted = admittedFirst(list, admitted);
  }
  return admitted;
}

/** These networks, whatever the rules say of them, and who else the rules let in. */
function admittedFirst(
  list: readonly Network[],
  { rules, otherwise }: AddressRules,
): AddressRules {
  const isIn = (network: Network) => list.some((outer) => outer.holds(network));
  return {
    rules: [
      ...list.map((network) => ({ network, admits: true })),
      ...rules.filter(({ network }) => !isIn(network)),
    ],
    otherwise,
  };
}

/** Undefined for what is no condition about one list of addresses. */
function conditionOf(
  words: readonly string[],
  section: Section,
): { list: readonly Network[]; isNegated: boolean } | undefined {
  const [word, ...terms] = words;
  if (word === undefined) return { list: networksOf("any"), isNegated: false };
  if (word !== "if" && word !== "unless") return undefined;
  const text = terms.join(" ");
  const [, not, inner, name] =
    /^(! ?)?(?:\{ src ([^{}]*) \}|(\S+))$/.exec(text) ?? [];
  const list = inner !== undefined
    ? addressList(inner.split(" "))
    : name !== undefined
    ? namedList(name.replace(/^!/, ""), section)
    : undefined;
  if (list === undefined) return undefined;
  const isNot = not !== undefined || name?.startsWith("!") === true;
  return { list, isNegated: isNot !== (word === "unless") };
}

/** The addresses of an `acl NAME src …`; its lines add up. */
function namedList(
  name: string,
  section: Section,
): readonly Network[] | undefined {
  const lists = having(section, "acl", name).map(({ words }) =>
    words[2] === "src" ? addressList(words.slice(3)) : undefined
  );
  if (lists.length === 0 || lists.includes(undefined)) return undefined;
  return lists.flatMap((list) => list ?? []);
}

function addressList(words: readonly string[]): readonly Network[] | undefined {
  const lists = words.map(networksOf);
  return lists.some((list) => list.length === 0) ? undefined : lists.flat();
}
