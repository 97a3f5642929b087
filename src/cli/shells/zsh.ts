import type { FlagSpec, PositionalSpec, ValueSpec } from "../flags.ts";
import { type CommandSpec, flagsWithHelp } from "../spec/parts.ts";

/** The script for zsh: a function for its own completion system. */
export function zshScript(specs: readonly CommandSpec[]): string {
  return `#compdef tcpmux
# zsh completion for tcpmux, made by: tcpmux completions zsh

# The names of a server's services.
_tcpmux_ask() {
  local -a names
  names=(\${(f)"$(_call_program services \\
    \${(q)program} list \${(q)1} --timeout 2s 2>/dev/null)"})
  local expl
  _wanted services expl service compadd -a names
}

_tcpmux_services() {
  _tcpmux_ask \${(Q)line[1]}
}

# What the server of this machine says by status or sessions.
_tcpmux_local() {
  local -a found control
  [[ -n $opt_args[--control] ]] && control=(--control \${(Q)opt_args[--control]})
  found=(\${(f)"$(_call_program $1 \\
    \${(q)program} $1 --quiet \${(q)control} --timeout 2s 2>/dev/null)"})
  local expl
  _wanted $1 expl $1 compadd -a found
}

# LOCAL=SERVICE, or the server's name, which stands behind them.
_tcpmux_forwards() {
  local server word
  if compset -P '*='; then
    for word in \${words[2,-1]}; do
      [[ $word == *=* || $word == -* ]] || server=$word
    done
    [[ -n $server ]] && _tcpmux_ask \${(Q)server}
  else
    _hosts
  fi
}

_tcpmux() {
  local program=\${(Q)words[1]/#\\~/$HOME} command=serve line
  typeset -A opt_args
  local -a commands
  commands=(
${specs.map(commandLine).join("\n")}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe -t commands command commands
    return
  fi
  if [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${specs.map(commandCase).join("\n")}
  esac
}

# Read as an autoloaded function it completes; sourced it is registered.
if [[ $funcstack[1] == _tcpmux ]]; then
  _tcpmux "$@"
else
  compdef _tcpmux tcpmux
fi
`;
}

function commandLine({ name, about }: CommandSpec): string {
  return `    ${quoted(`${name}:${about}`)}`;
}

function commandCase(command: CommandSpec): string {
  const specs = [
    ...flagsWithHelp(command).map(flagSpec),
    ...wordSpecs(command.positionals),
  ];
  return `  ${command.name})
    _arguments -s : \\
      ${specs.join(" \\\n      ")} ;;`;
}

function flagSpec([long, spec]: [string, FlagSpec]): string {
  const { short, value, repeated, about } = spec;
  const behind = `[${escaped(about)}]` +
    (value === undefined ? "" : `:${value.name}:${action(value)}`);
  const [to, toShort] = value === undefined ? ["", ""] : ["=", "+"];
  if (short === undefined) {
    return quoted(`${repeated ? "*" : ""}--${long}${to}${behind}`);
  }
  const before = repeated ? "*" : `(-${short} --${long})`;
  return `'${before}'{-${short}${toShort},--${long}${to}}${quoted(behind)}`;
}

function wordSpecs(positionals: readonly PositionalSpec[]): string[] {
  if (positionals[0]?.kind === "forward") {
    return [`'*:forward:_tcpmux_forwards'`];
  }
  return positionals.map((positional, index) => {
    const place = positional.repeated ? "*" : `${index + 1}`;
    const about = escaped(positional.about);
    return quoted(`${place}:${about}:${action(positional)}`);
  });
}

function action({ kind, choices }: ValueSpec): string {
  switch (kind) {
    case "choice":
      return `(${choices!.join(" ")})`;
    case "file":
      return "_files";
    case "forward":
      return "_tcpmux_forwards";
    case "host":
      return "_hosts";
    case "served":
      return " _tcpmux_local status"; // the blank keeps zsh from adding words
    case "service":
      return "_tcpmux_services";
    case "session":
      return " _tcpmux_local sessions";
    default:
      return " "; // only the user knows it
  }
}

/** For a message, which ends at a colon or a bracket. */
function escaped(text: string): string {
  return text.replaceAll("`", "").replace(/[\\[\]:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
