# Types lines into an interactive zsh, each with a TAB behind it, and prints
# what each has become: complete.zsh SCRIPT FILE LINE...
zmodload zsh/zpty
export SCRIPT=$1 COMPLETED=$2
shift 2
: > $COMPLETED
zpty -b shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -D -u; . $SCRIPT
completed() {
  zle expand-or-complete
  print -r -- $BUFFER >> $COMPLETED
  zle kill-whole-line
}
zle -N completed; bindkey "^I" completed; print ready >> $COMPLETED'

# Waits until so many lines are there.
await() {
  local -i tries=0
  local said
  while (( tries++ < 1000 )); do
    zpty -r -t shell said >/dev/null
    (( $(wc -l < $COMPLETED) >= $1 )) && return
    sleep 0.02
  done
  print -u2 "line $1 was awaited in vain"
  exit 1
}

await 1
integer count=1
for line in "$@"; do
  zpty -w -n shell "$line"$'\t'
  await $((++count))
done
zpty -d shell
tail -n +2 $COMPLETED
