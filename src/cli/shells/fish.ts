import type { FlagUse, Synopsis, Value } from "../synopsis.ts";

/** The script for fish: functions that know the place, and a line a flag. */
export function fishScript(synopses: readonly Synopsis[]): string {
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
${synopses.map(valuesCase).join("\n")}
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

# LOCAL=SERVICE, or the server's name, which stands behind them.
function __tcpmux_rules
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
${synopses.map(commandLine).join("\n")}
${synopses.flatMap(flagLines).join("\n")}
${synopses.flatMap(wordLines).join("\n")}
`;
}

function valuesCase({ command, flags }: Synopsis): string {
  const names = flags.filter(({ value }) => value !== undefined)
    .flatMap(({ long, short }) => [
      `--${long}`,
      ...short === undefined ? [] : [`-${short}`],
    ]);
  return `        case ${command}
            set values ${names.join(" ")}`;
}

function commandLine({ command, about }: Synopsis): string {
  return `complete -c tcpmux -n __tcpmux_first -a ${command} -d ${
    quoted(about)
  }`;
}

function flagLines({ command, flags }: Synopsis): string[] {
  return flags.map(({ long, short, value, about }: FlagUse) => {
    const letter = short === undefined ? "" : ` -s ${short}`;
    return `complete -c tcpmux -n '__tcpmux_is ${command}'${letter} ` +
      `-l ${long}${valueOf(value)} -d ${quoted(about)}`;
  });
}

function valueOf(value: Value | undefined): string {
  switch (value?.kind) {
    case undefined:
      return "";
    case "file":
      return " -r -F";
    case "choice":
      return ` -x -a ${quoted(value.of.join(" "))}`;
    default:
      return " -x";
  }
}

function wordLines({ command, words, many }: Synopsis): string[] {
  const rule = words[0]?.kind === "rule";
  return words.flatMap((value, index) => {
    const what = candidates(value);
    if (what === undefined || rule && index > 0) return [];
    const last = many && index === words.length - 1;
    const place = `__tcpmux_${
      rule || last ? "from" : "at"
    } ${command} ${index}`;
    return [`complete -c tcpmux -n '${place}' ${what}`];
  });
}

function candidates(value: Value): string | undefined {
  switch (value.kind) {
    case "free":
      return undefined;
    case "file":
      return "-F";
    case "host":
      return "-a '(__fish_print_hostnames)'";
    case "service":
      return "-a '(__tcpmux_services)'";
    case "rule":
      return "-a '(__tcpmux_rules)'";
    case "choice":
      return `-a ${quoted(value.of.join(" "))}`;
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
