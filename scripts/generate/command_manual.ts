/** The generated parts of tcpmux(1), in mdoc(7). */
import {
  type FlagSpec,
  type PositionalSpec,
  variableOf,
} from "../../src/cli/flags.ts";
import {
  aboutPositional,
  listed,
  usagesOf,
  withActions,
  withChoices,
  wrapped,
} from "../../src/cli/help.ts";
import { COMMANDS } from "../../src/cli/spec.ts";
import {
  type CommandSpec,
  type Example,
  EXIT_CODES,
  type ExitCode,
  formsOf,
  PROBE_STATES,
  SIGNALS,
} from "../../src/cli/spec/parts.ts";
import { type Generated, ROFF_MARKERS, withParts } from "./files.ts";

const WIDTH = 78;
const SPECS: readonly CommandSpec[] = COMMANDS;

export function commandManual(): Generated[] {
  return [withParts("docs/tcpmux.1", ROFF_MARKERS, manualParts())];
}

function manualParts(): Record<string, string> {
  return {
    synopsis: SPECS.map(synopsis).join(""),
    commands: SPECS.map(section).join(""),
    environment: environment(),
    signals: list(SIGNALS.map(({ names, about }) => [
      names.map((name) => `Dv SIG${name}`).join(" , "),
      sentences(about),
    ])),
    "exit codes": exits(Object.values(EXIT_CODES)) +
      ".Pp\nThose of\n.Cm probe\nare:\n" + exits(Object.values(PROBE_STATES)),
    examples: SPECS.flatMap(({ examples }) => examples).map(example).join(""),
  };
}

/** Each usage: the command, a flag that it demands, the flags, the rest. */
function synopsis(command: CommandSpec): string {
  return usagesOf(command).map((usage) => {
    const [, word, flag, value, rest] = /^(\S+) ?(?:-(-\S+) (\S+))? ?(.*)$/
      .exec(usage)!;
    const lines = [
      "Nm",
      `${word!.startsWith("[") ? "Op " : ""}Cm ${command.name}`,
      ...flag === undefined ? [] : [`Fl ${flag} Ar ${value!.toLowerCase()}`],
      ...optionalFlags(command, rest!.split(" ")[0]!),
      ...rest!.split(" ").filter((word) => word !== "").map(operand),
    ];
    return lines.map((line) => `.${line}\n`).join("");
  }).join("");
}

/**
 * Those that no usage names, and that go with its first word: first the switches
 * of one letter, in one.
 */
function optionalFlags(
  { flags, usages = [] }: CommandSpec,
  action: string,
): string[] {
  const optional = Object.entries(flags).filter(([long, { actions }]) =>
    actions?.includes(action) !== false &&
    !usages.some((usage) => usage.includes(`--${long}`))
  );
  const letters = optional.flatMap(([, { short, value }]) =>
    value === undefined && short !== undefined ? [short] : []
  );
  const others = optional.flatMap(([long, { short, value }]) => {
    if (value === undefined) return short === undefined ? [`-${long}`] : [];
    return [`${short ?? `-${long}`} Ar ${value.name.toLowerCase()}`];
  });
  if (letters.length > 0) others.unshift(letters.sort().join(""));
  return others.map((flag) => `Op Fl ${flag}`);
}

/** As `SERVER`, `[SERVICE…]`, or a word that is typed as it is. */
function operand(word: string): string {
  if (/^[a-z]+$/.test(word)) return `Cm ${word}`;
  const [, optional] = /^\[(.*)\]$/.exec(word) ?? [];
  const name = (optional ?? word).toLowerCase().replace("…", " ...");
  return `${optional === undefined ? "" : "Op "}Ar ${name}`;
}

/** All that is said of a command, in the order of its help. */
function section(command: CommandSpec): string {
  const { name, description, positionals, flags } = command;
  const values = Object.values(flags).flatMap(({ value }) => value ?? []);
  const forms = [...new Set(values)].filter(({ forms }) => forms);
  const names = namesOf(command);
  const items = [
    ...positionals.map((positional) => argument(positional, names)),
    ...Object.entries(flags).map(([long, spec]) => flag(long, spec, names)),
  ];
  return `.Ss tcpmux ${name}\n` +
    description.map((text) => sentences(text, names)).join(".Pp\n") +
    list(items) +
    forms.map(({ name, forms }) =>
      `.Pp\n${sentences(`${name} is ${forms}`, names)}`
    ).join("");
}

function argument(
  positional: PositionalSpec,
  names: ReadonlySet<string>,
): [string, string] {
  return [
    `Ar ${positional.name.toLowerCase()}`,
    sentences(aboutPositional(positional), names),
  ];
}

function flag(
  long: string,
  spec: FlagSpec,
  names: ReadonlySet<string>,
): [string, string] {
  const { value, repeated, about, details, actions } = spec;
  const text = [
    withChoices(about, value),
    spec.default && `the default is ${spec.default}`,
    details,
    repeated && "may be given several times",
    actions && withActions(actions),
  ];
  const forms = formsOf(long, spec).map((form) => `Fl ${form.slice(1)}`);
  return [
    forms.join(" , ") + (value ? ` Ar ${value.name.toLowerCase()}` : ""),
    text.map((phrase) => phrase ? sentences(phrase, names) : "").join(""),
  ];
}

/** The words in upper case that stand for something else. */
function namesOf({ positionals, flags }: CommandSpec): Set<string> {
  const values = Object.values(flags).flatMap(({ value }) => value ?? []);
  const names = [...positionals, ...values].map(({ name }) => name);
  return new Set([...names, "HOST:PORT", "V6", "NAME"].flatMap(nameParts));
}

function nameParts(name: string): string[] {
  return name.match(/[A-Z0-9]+/g) ?? [];
}

function environment(): string {
  const commands = new Map<string, string[]>();
  for (const { name, flags } of SPECS) {
    for (const [long, { value, environment }] of Object.entries(flags)) {
      if (value === undefined || environment === false) continue;
      commands.set(long, [...commands.get(long) ?? [], name]);
    }
  }
  return list([...commands].map(([flag, names]) => {
    const of = listed(names.map((name) => `\`${name}\``), "and");
    return [
      `Ev ${variableOf(flag)}`,
      sentences(`the flag \`--${flag}\` of ${of}`),
    ];
  }));
}

function exits(codes: readonly ExitCode[]): string {
  return list(codes.map(({ code, meaning }) => [
    String(code),
    sentences(meaning),
  ]));
}

function example({ about, lines }: Example, index: number): string {
  const text = sentences(about).replace(
    / ?\.\n$/,
    (end) => end.startsWith(" ") ? " :\n" : ":\n",
  );
  const code = lines.map((line) => `${escaped(line)}\n`).join("");
  return `${index === 0 ? "" : ".Pp\n"}${text}` +
    `.Bd -literal -offset indent\n${code}.Ed\n`;
}

function list(items: readonly (readonly [string, string])[]): string {
  if (items.length === 0) return "";
  const text = items.map(([head, body]) => `.It ${head}\n${body}`).join("");
  return `.Bl -tag -width Ds\n${text}.El\n`;
}

/** Words between backticks, or one word, with the marks around it. */
const WORD = /(\(?)(?:`([^`]+)`|(\S+?))([.,;:)]*)(?=\s|$)/g;

/** A phrase as sentences, with a macro for each word that has a meaning. */
function sentences(
  phrase: string,
  names: ReadonlySet<string> = new Set(),
): string {
  const lines: string[] = [];
  let plain: string[] = [];
  const flush = () => {
    if (plain.length > 0) lines.push(...wrapped(plain.join(" "), WIDTH));
    plain = [];
  };
  const text = phrase[0]!.toUpperCase() + phrase.slice(1) +
    (phrase.endsWith(".") ? "" : ".");
  for (const [, opening, literal, word, marks] of text.matchAll(WORD)) {
    const macro = literal === undefined
      ? placeholder(word!, names)
      : literalMacro(literal);
    if (macro === undefined) {
      plain.push(escaped(`${opening}${word}${marks}`));
    } else {
      flush();
      lines.push(`.${[macro, ...marks!].join(" ")}`.replace(
        /^\.(\w+)/,
        opening === "" ? ".$1" : `.$1 ${opening}`,
      ));
    }
    if (marks!.endsWith(".")) flush();
  }
  flush();
  return lines.map((line) => `${line}\n`).join("");
}

function placeholder(
  word: string,
  names: ReadonlySet<string>,
): string | undefined {
  const parts = nameParts(word);
  const isOne = parts.length > 0 && /^[A-Z0-9:.=[\]]+$/.test(word) &&
    parts.every((part) => names.has(part) && !/^\d+$/.test(part));
  return isOne ? `Ar ${escaped(word.toLowerCase())}` : undefined;
}

function literalMacro(text: string): string {
  if (text.startsWith("--")) return `Fl ${text.slice(1)}`;
  return `Cm ${/^\W/.test(text) ? "\\&" : ""}${escaped(text)}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll('"', "\\(dq")
    .replace(/^[.']/, "\\&$&");
}
