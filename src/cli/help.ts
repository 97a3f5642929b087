/** What `--help` prints, at most 80 columns wide. */
import { type ValueSpec, variableOf } from "./flags.ts";
import { COMMANDS } from "./spec.ts";
import {
  type CommandSpec,
  type Example,
  flagsWithHelp,
  SIGNALS,
} from "./spec/parts.ts";

const WIDTH = 80;

/** The list of commands. */
export function helpOfAll(offered: readonly string[]): string {
  const commands = COMMANDS.filter(({ name }) => offered.includes(name));
  return [
    "tcpmux: one TCP port, every service (TCPMUX, RFC 1078)\n",
    "Usage: tcpmux COMMAND [FLAG…]\n",
    section(
      "Commands",
      table(commands.map((command) => [usagesOf(command)[0]!, command.about])),
    ),
    paragraph(
      "`tcpmux COMMAND --help` describes a command. `tcpmux --version` prints " +
        "the version, and `tcpmux --licenses` the licenses of all software in " +
        "it.",
    ),
  ].join("\n");
}

/** What one command does and takes. */
export function helpOf(name: string): string {
  const command: CommandSpec = COMMANDS.find((one) => one.name === name)!;
  const { description, positionals, flags, isDaemon, exits, examples } =
    command;
  const values = [
    ...new Set(Object.values(flags).flatMap(({ value }) => value ?? [])),
  ];
  return [
    usagesOf(command).map((usage, index) =>
      `${index === 0 ? "Usage:" : "      "} tcpmux ${usage} [FLAG…]\n`
    ).join(""),
    ...description.map(paragraph),
    section(
      "Arguments",
      table(positionals.map((value) => [value.name, aboutPositional(value)])),
    ),
    section(
      "Flags",
      table(
        flagsWithHelp(command).map(([long, spec]) => {
          const { short, value } = spec;
          const letter = short === undefined ? "    " : `-${short}, `;
          const name = value === undefined ? "" : ` ${value.name}`;
          return [`${letter}--${long}${name}`, aboutFlag(spec)];
        }),
      ),
    ),
    values.filter(({ forms }) => forms !== undefined).map(formsOfValue).join(
      "",
    ),
    environmentOf(command),
    isDaemon
      ? section(
        "Signals",
        table(SIGNALS.map(({ names, about }) => [names.join(", "), about])),
      )
      : "",
    section(
      "Exit codes",
      table(exits.map(({ code, meaning }) => [String(code), meaning])),
    ),
    section("Examples", examples.map(exampleText).join("")),
  ].filter((part) => part !== "").join("\n");
}

/** What stands behind `tcpmux`, without the flags. */
export function usagesOf(command: CommandSpec): string[] {
  const { name, usages, positionals } = command;
  const shown = name === "serve" ? `[${name}]` : name;
  if (usages !== undefined) return usages.map((usage) => `${shown} ${usage}`);
  const words = positionals.map(({ name, repeated, optional }) => {
    const word = `${name}${repeated ? "…" : ""}`;
    return optional ? `[${word}]` : word;
  });
  return [[shown, ...words].join(" ")];
}

/** All that is said of a flag, as one phrase. */
export function aboutFlag(spec: CommandSpec["flags"][string]): string {
  const { value, repeated, about, details, actions } = spec;
  const standard = spec.default === undefined
    ? ""
    : ` (default: ${spec.default})`;
  return [
    `${withChoices(about, value)}${standard}`,
    ...details === undefined ? [] : [details],
    ...repeated ? ["may be given several times"] : [],
    ...actions === undefined ? [] : [withActions(actions)],
  ].join("; ");
}

/** With which words of a command a flag may be given. */
export function withActions(actions: readonly string[]): string {
  return `with ${listed(actions.map((word) => `\`${word}\``), "and")} alone`;
}

/** All that is said of an argument, as one phrase. */
export function aboutPositional(
  positional: CommandSpec["positionals"][number],
): string {
  const { about, forms } = positional;
  return forms === undefined
    ? withChoices(about, positional)
    : `${about}: ${forms}`;
}

/** What a value is, and the words that it may be. */
export function withChoices(about: string, value?: ValueSpec): string {
  if (value?.choices === undefined) return about;
  const choices = value.choices.map((choice) => `\`${choice}\``);
  return `${about}: ${listed(choices, "or")}`;
}

/** "a, b and c". */
export function listed(items: readonly string[], word: string): string {
  const last = items.at(-1) ?? "";
  if (items.length < 2) return last;
  return `${items.slice(0, -1).join(", ")} ${word} ${last}`;
}

function formsOfValue({ name, forms }: ValueSpec): string {
  return paragraph(`${name} is ${forms}.`);
}

function environmentOf({ flags }: CommandSpec): string {
  const values = Object.entries(flags).filter(([, { value }]) => value);
  const from = values.find(([, { environment }]) => environment !== false);
  if (from === undefined) return "";
  const [flag] = from;
  const others = values.filter(([, { environment }]) => environment === false)
    .map(([name]) => `--${name}`);
  const except = others.length === 0 ? "" : ` except ${listed(others, "and")}`;
  const several =
    values.some(([, { repeated, environment }]) =>
        repeated && environment !== false
      )
      ? " Separate several values by commas or blanks."
      : "";
  return paragraph(
    `Each flag with a value${except} can also be set by an environment ` +
      `variable, such as ${variableOf(flag)} for --${flag}.${several}`,
  );
}

function exampleText({ about, lines }: Example): string {
  return `  # ${plain(about)}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function section(title: string, text: string): string {
  return text === "" ? "" : `${title}:\n${text}`;
}

/** Two columns, of which the right one is wrapped. */
function table(rows: readonly (readonly [string, string])[]): string {
  const column = 4 + Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => {
    const [first = "", ...rest] = wrapped(plain(right), WIDTH - column);
    const below = rest.map((line) => `${" ".repeat(column)}${line}\n`);
    return `  ${left.padEnd(column - 2)}${first}\n${below.join("")}`;
  }).join("");
}

function paragraph(text: string): string {
  return wrapped(plain(text), WIDTH).map((line) => `${line}\n`).join("");
}

/** Lines of so many columns, if no word is longer. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > width) {
      lines.push(word);
    } else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** Without the marks around what is literal. */
function plain(text: string): string {
  return text.replaceAll("`", "");
}
