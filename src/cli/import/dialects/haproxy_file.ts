/** Reads haproxy.cfg into its sections, and their `tcp-request` rules. */
import {
  type AddressRules,
  ADMIT_ALL,
  both,
  denyFirst,
  type Network,
  networksOf,
} from "../access.ts";
import type { Place } from "../report.ts";
import { linesOf, type Source } from "../sources.ts";

/** One line of a section: its words. */
export interface Directive {
  readonly place: Place;
  readonly words: readonly string[];
}

export interface Section {
  /** `frontend`, `backend`, `listen`, `defaults` or another. */
  readonly kind: string;
  readonly name: string;
  readonly place: Place;
  readonly directives: readonly Directive[];
  /** The defaults that hold for it. */
  readonly defaults: readonly Directive[];
}

const SECTIONS = "global defaults frontend backend listen userlist peers " +
  "resolvers mailers cache program http-errors ring log-forward fcgi-app crt-list";

export function sectionsOf(sources: readonly Source[]): Section[] {
  const sections: (Section & { directives: Directive[] })[] = [];
  let defaults: readonly Directive[] = [];
  for (const { place, text } of sources.flatMap(linesOf)) {
    const [first, ...rest] = wordsOf(text);
    if (first === undefined) continue;
    if (SECTIONS.split(" ").includes(first)) {
      const section = {
        kind: first,
        name: rest[0] ?? "",
        place,
        directives: [],
        defaults: first === "defaults" ? [] : defaults,
      };
      if (first === "defaults") defaults = section.directives;
      sections.push(section);
    } else sections.at(-1)?.directives.push({ place, words: [first, ...rest] });
  }
  return sections;
}

/** Words as HAProxy cuts them: quoted, escaped, and up to a `#`. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  const pattern =
    /\s+|#.*|((?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s#"'\\]|["'\\])+)/sy;
  for (let match; (match = pattern.exec(text)) !== null;) {
    const [whole, word] = match;
    if (whole.startsWith("#")) break;
    if (word === undefined) continue;
    words.push(
      word.replaceAll(
        /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
        (_, escape, double, single) => escape ?? double ?? single,
      ),
    );
  }
  return words;
}

/** The directives that begin with these words, or those of the defaults. */
export function having(
  { directives, defaults }: Section,
  ...words: string[]
): readonly Directive[] {
  const of = (list: readonly Directive[]) =>
    list.filter((one) =>
      words.every((word, index) => one.words[index] === word)
    );
  const own = of(directives);
  return own.length > 0 ? own : of(defaults);
}

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
