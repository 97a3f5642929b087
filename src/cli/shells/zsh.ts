import type { FlagUse, Synopsis, Value } from "../synopsis.ts";

/** The script for zsh: a function for its own completion system. */
export function zshScript(synopses: readonly Synopsis[]): string {
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

# LOCAL=SERVICE, or the server's name, which stands behind them.
_tcpmux_rules() {
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
${synopses.map(commandLine).join("\n")}
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
${synopses.map(commandCase).join("\n")}
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

function commandLine({ command, about }: Synopsis): string {
  return `    ${quoted(`${command}:${about}`)}`;
}

function commandCase({ command, flags, words, many }: Synopsis): string {
  const specs = [...flags.map(flagSpec), ...wordSpecs(words, many)];
  return `  ${command})
    _arguments -s : \\
      ${specs.join(" \\\n      ")} ;;`;
}

function flagSpec({ long, short, value, many, about }: FlagUse): string {
  const text = about.replace(/[\\\[\]:]/g, "\\$&");
  const behind = `[${text}]` +
    (value === undefined ? "" : `:value:${action(value)}`);
  const [to, toShort] = value === undefined ? ["", ""] : ["=", "+"];
  if (short === undefined) {
    return quoted(`${many ? "*" : ""}--${long}${to}${behind}`);
  }
  const before = many ? "*" : `(-${short} --${long})`;
  return `'${before}'{-${short}${toShort},--${long}${to}}${quoted(behind)}`;
}

function wordSpecs(words: readonly Value[], many: boolean): string[] {
  if (words[0]?.kind === "rule") return [`'*:rule:_tcpmux_rules'`];
  return words.map((value, index) => {
    const place = many && index === words.length - 1 ? "*" : `${index + 1}`;
    return quoted(`${place}:${value.kind}:${action(value)}`);
  });
}

function action(value: Value): string {
  switch (value.kind) {
    case "free":
      return " ";
    case "file":
      return "_files";
    case "host":
      return "_hosts";
    case "service":
      return "_tcpmux_services";
    case "rule":
      return "_tcpmux_rules";
    case "choice":
      return `(${value.of.join(" ")})`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
