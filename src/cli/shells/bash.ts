import type { ValueSpec } from "../flags.ts";
import { type CommandSpec, flagsWithHelp, formsOf } from "../spec/parts.ts";

/**
 * The script for bash. It splits the line by itself, since bash cuts words at
 * `=` and `:`. What a server says is compared and quoted, and never expanded:
 * `compgen -W` would run what stands in a name.
 */
export function bashScript(specs: readonly CommandSpec[]): string {
  const commands = specs.map(({ name }) => name).join(" ");
  return `# bash completion for tcpmux, made by: tcpmux completions bash

_tcpmux() {
  local IFS=$' \\t\\n' end=\${COMP_POINT:-\${#COMP_LINE}}
  local line=\${COMP_LINE:0:end} command=serve first=1 at word
  local flags= values= previous= current= kind= choices= server= prefix= cut
  local -a before after words control
  words=() control=()
  COMPREPLY=()
  read -ra before <<<"$line"
  read -ra after <<<"\${COMP_LINE:end}"
  if [[ $line != *[[:space:]] ]]; then
    current=\${before[\${#before[@]} - 1]}
    unset "before[\${#before[@]} - 1]"
  fi
  if [[ \${before[1]:--} != -* ]]; then
    command=\${before[1]} first=2
  fi
  case $command in
${specs.map(flagCase).join("\n")}
  *) return ;;
  esac

  for ((at = first; at < \${#before[@]}; at++)); do
    word=\${before[at]}
    [[ $word == --control ]] && control=("$word" "\${before[at + 1]}")
    [[ $word == --control=* ]] && control=("$word")
    if [[ $word != -* ]]; then
      words+=("$word")
    elif [[ $values == *" $word "* ]]; then
      ((++at < \${#before[@]})) || previous=$word
    fi
  done
  if [[ $current == --*=* ]]; then
    previous=\${current%%=*} current=\${current#*=}
  fi

  if [[ -n $previous ]]; then
    case "$command $previous" in
${specs.flatMap(valueCases).join("\n")}
    esac
  elif [[ $current == -* ]]; then
    kind=choice choices=$flags
  elif ((\${#before[@]} == 1)); then
    kind=choice choices='${commands}'
  else
    case "$command \${#words[@]}" in
${specs.flatMap(wordCases).join("\n")}
    esac
  fi

  if [[ $kind == service ]]; then
    server=\${words[0]}
  elif [[ $kind == forward && $current == *=* ]]; then
    kind=service current=\${current#*=}
    for word in "\${words[@]}" "\${after[@]}"; do
      [[ $word == *=* || $word == -* ]] || server=$word
    done
    [[ -n $server ]] || return
  elif [[ $kind == forward ]]; then
    kind=host
  fi
  # The reply replaces only what stands behind the last of bash's breaks.
  for cut in = : @; do
    if [[ $COMP_WORDBREAKS == *"$cut"* && $current == *"$cut"* ]]; then
      word=\${current%"\${current##*"$cut"}"}
      ((\${#word} > \${#prefix})) && prefix=$word
    fi
  done
  [[ $kind == file ]] && compopt -o filenames 2>/dev/null
  while IFS= read -r word; do
    [[ $word == "$current"* ]] || continue
    word=\${word#"$prefix"}
    [[ $kind == serv* ]] && printf -v word %q "$word"
    COMPREPLY+=("$word")
  done < <(
    case $kind in
    choice) compgen -W "$choices" -- "$current" ;;
    file) compgen -f -- "$current" ;;
    host) compgen -A hostname -- "$current" ;;
    service) "\${before[0]/#\\~/$HOME}" list "$server" --timeout 2s 2>/dev/null ;;
    served | session)
      [[ $kind == served ]] && word=status || word=sessions
      "\${before[0]/#\\~/$HOME}" "$word" --quiet "\${control[@]}" --timeout 2s \
        2>/dev/null
      ;;
    esac
  )
}

complete -F _tcpmux tcpmux
`;
}

function flagCase(command: CommandSpec): string {
  const flags = flagsWithHelp(command);
  const names = flags.map(([long]) => `--${long}`);
  const values = flags.filter(([, { value }]) => value !== undefined)
    .flatMap(([long, spec]) => formsOf(long, spec));
  return `  ${command.name})
    flags='${names.join(" ")}'
    values=' ${values.join(" ")} ' ;;`;
}

function valueCases(command: CommandSpec): string[] {
  return Object.entries(command.flags).flatMap(([long, spec]) => {
    const what = spec.value && assignment(spec.value);
    if (what === undefined) return [];
    const places = formsOf(long, spec).map((form) =>
      `'${command.name} ${form}'`
    );
    return [`    ${places.join(" | ")}) ${what} ;;`];
  });
}

function wordCases({ name, positionals }: CommandSpec): string[] {
  // Which of the words is the server is not known before the end.
  const isForward = positionals[0]?.kind === "forward";
  return positionals.flatMap((positional, index) => {
    const what = assignment(positional);
    if (what === undefined || isForward && index > 0) return [];
    const place = positional.repeated ? `'${name} '*` : `'${name} ${index}'`;
    return [`    ${place}) ${what} ;;`];
  });
}

/** Undefined for what only the user knows. */
function assignment({ kind, choices }: ValueSpec): string | undefined {
  switch (kind) {
    case "choice":
      return `kind=choice choices='${choices!.join(" ")}'`;
    case "file":
    case "forward":
    case "host":
    case "served":
    case "service":
    case "session":
      return `kind=${kind}`;
    default:
      return undefined;
  }
}
