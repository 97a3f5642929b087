# Completes a line as bash would: complete.bash SCRIPT BEFORE [AFTER], with
# the cursor between the two. Prints the replies, one a line.
. "$1"
COMP_LINE=$2$3
COMP_POINT=${#2}
read -ra COMP_WORDS <<<"$2"
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p tcpmux >/dev/null || exit
_tcpmux
for reply in "${COMPREPLY[@]}"; do
  printf '%s\n' "$reply"
done
