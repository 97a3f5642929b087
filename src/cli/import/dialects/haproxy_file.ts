/** Reads haproxy.cfg into its sections. */
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
