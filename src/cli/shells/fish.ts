import type { ValueSpec } from "../flags.ts";
import { type CommandSpec, flagsWithHelp, formsOf } from "../spec/parts.ts";

/** The script for fish: functions that know the place, and a line a flag. */
export function fishScript(specs: readonly CommandSpec[]): string {
  return `# fish completion for tcpmux, made by: tcpmux completions fish

function __tcpmux_command
    set -l tokens (commandline -opc)
    if set -q tokens[2]; and not string match -q -- '-*' $tokens[2]
        echo $tokens[2]
    else
        echo serve
    end
end

# The words beside the flags and their values.
function __tcpmux_words
    set -l tokens (commandline -opc)[2..]
    set -l values
    switch (__tcpmux_command)
${specs.map(valuesCase).join("\n")}
    end
    string match -q -- '-*' "$tokens[1]"; or set -e tokens[1]
    while set -q tokens[1]
        if contains -- $tokens[1] $values
            set -e tokens[1]
        else if not string match -q -- '-*' $tokens[1]
            echo $tokens[1]
        end
        set -e tokens[1]
    end
end

function __tcpmux_is
    test (__tcpmux_command) = $argv[1]
end

# Whether so many words stand between the command and here.
function __tcpmux_at
    __tcpmux_is $argv[1]; and test (count (__tcpmux_words)) -eq $argv[2]
end

function __tcpmux_from
    __tcpmux_is $argv[1]; and test (count (__tcpmux_words)) -ge $argv[2]
end

function __tcpmux_first
    test (count (commandline -opc)) -eq 1
end

function __tcpmux_ask
    set -l program (string replace -r '^~' $HOME -- (commandline -opc)[1])
    $program list $argv[1] --timeout 2s 2>/dev/null
end

function __tcpmux_services
    __tcpmux_ask (__tcpmux_words)[1]
end

# What the server of this machine says by status or sessions.
function __tcpmux_local
    set -l tokens (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $tokens[1])
    set -l control (string match -- '--control=*' $tokens)
    if set -l at (contains -i -- --control $tokens)
        set control $tokens[$at..(math $at + 1)]
    end
    $program $argv[1] --quiet $control --timeout 2s 2>/dev/null
end

# LOCAL=SERVICE, or the server's name, which stands behind them.
function __tcpmux_forwards
    set -l current (commandline -ct)
    if not string match -q -- '*=*' $current
        __fish_print_hostnames
        return
    end
    set -l servers (string match -v -r -- '=|^-' (commandline -op)[3..])
    set -q servers[1]; or return
    string replace -r '^' (string replace -r '=.*' '=' -- $current) -- (
        __tcpmux_ask $servers[-1])
end

complete -c tcpmux -f
${specs.map(commandLine).join("\n")}
${specs.flatMap(flagLines).join("\n")}
${specs.flatMap(wordLines).join("\n")}
`;
}

function valuesCase(command: CommandSpec): string {
  const forms = Object.entries(command.flags)
    .filter(([, { value }]) => value !== undefined)
    .flatMap(([long, spec]) => formsOf(long, spec));
  return `        case ${command.name}
            set values ${forms.join(" ")}`;
}

function commandLine({ name, about }: CommandSpec): string {
  return `complete -c tcpmux -n __tcpmux_first -a ${name} -d ${quoted(about)}`;
}

function flagLines(command: CommandSpec): string[] {
  return flagsWithHelp(command).map(([long, { short, value, about }]) => {
    const letter = short === undefined ? "" : ` -s ${short}`;
    return `complete -c tcpmux -n '__tcpmux_is ${command.name}'${letter} ` +
      `-l ${long}${valueOf(value)} -d ${quoted(about.replaceAll("`", ""))}`;
  });
}

function valueOf(value: ValueSpec | undefined): string {
  switch (value?.kind) {
    case undefined:
      return "";
    case "file":
      return " -r -F";
    case "choice":
      return ` -x -a ${quoted(value!.choices!.join(" "))}`;
    case "served":
      return " -x -a '(__tcpmux_local status)'";
    default:
      return " -x";
  }
}

function wordLines({ name, positionals }: CommandSpec): string[] {
  const isForward = positionals[0]?.kind === "forward";
  return positionals.flatMap((positional, index) => {
    const what = candidates(positional);
    if (what === undefined || isForward && index > 0) return [];
    const place = positional.repeated ? "from" : "at";
    return [
      `complete -c tcpmux -n '__tcpmux_${place} ${name} ${index}' ${what}`,
    ];
  });
}

/** Undefined for what only the user knows. */
function candidates({ kind, choices }: ValueSpec): string | undefined {
  switch (kind) {
    case "choice":
      return `-a ${quoted(choices!.join(" "))}`;
    case "file":
      return "-F";
    case "forward":
      return "-a '(__tcpmux_forwards)'";
    case "host":
      return "-a '(__fish_print_hostnames)'";
    case "served":
      return "-a '(__tcpmux_local status)'";
    case "service":
      return "-a '(__tcpmux_services)'";
    case "session":
      return "-k -a '(__tcpmux_local sessions)'";
    default:
      return undefined;
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
