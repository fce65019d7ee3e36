#!/bin/sh
# A golden file holds scenarios and what is expected of them: a line "$ seam ARGUMENTS", then what that prints.
#   sh tests/labs/golden.sh FILE            FILE as it would be today, on standard output
#   sh tests/labs/golden.sh --update        all of them made anew, and one for each lab that has none
set -u
build=${BUILD:-build}
PATH="$(pwd)/$build:$PATH"; export PATH

remake() {
  sed -n 's/^\$ seam //p' "$1" | while IFS= read -r args; do
    printf '$ seam %s\n' "$args"
    eval "seam $args" </dev/null 2>&1
  done
}

if [ "$1" != --update ]; then remake "$1"; exit; fi
new=$(mktemp "${TMPDIR:-/tmp}/seam-golden-XXXXXX")
trap 'rm -f "$new"' EXIT
for lab in $(seam lab </dev/null | awk 'NR > 1 {print $1}'); do
  g=tests/labs/golden/$lab.txt
  [ -f "$g" ] || printf '$ seam lab %s --all --plain\n' "$lab" >"$g"
  remake "$g" >"$new"
  cmp -s "$g" "$new" || { cat "$new" >"$g"; echo "updated $g"; }
done
