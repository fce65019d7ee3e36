#!/bin/sh
# Goal:   man pages and completions say what the program says, and work.
# Method: all are made again and compared; man renders each without a warning; bash and zsh are asked for what they
#         complete, each against the commands, labs and options that the program lists.
set -u
build=${BUILD:-build}
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
case $build in *notrace*) echo 'skipped: this build has no labs to complete'; exit 77 ;; esac
PATH="$(pwd)/$build:$PATH"; export PATH
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-manual-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=1; }

BUILD=$build sh docs/reference/manual/generate.sh "$dir" || fail 'docs/reference/manual/generate.sh'
for f in "$dir"/*; do
  cmp -s "$f" "docs/reference/manual/$(basename "$f")" || fail "docs/reference/manual/$(basename "$f") is stale (make manual)"
done
for f in docs/reference/manual/*.[15]; do
  [ -f "$dir/$(basename "$f")" ] || fail "$f is made from nothing that is there"
  if command -v man >/dev/null && man --warnings -l /dev/null >/dev/null 2>&1; then
    warned=$(MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -l "$f" 2>&1 >/dev/null)
    [ -z "$warned" ] || fail "man -l $f: $warned"
  fi
done

seam help | awk '/^exit codes/ {exit} /^  [a-z]/ {print $1}' | sort >"$dir/commands"
seam lab </dev/null | awk 'NR > 1 {print $1}' | sort >"$dir/labs"
seam lab --help | grep -oE -- '--[a-z][a-z-]*' | sort -u >"$dir/options"
offers() { # SHELL WANTED WORDS: every line of WANTED is offered after the words
  "$1" "$3" >"$dir/offered" || fail "$1 after '$3'"
  comm -23 "$2" "$dir/offered" | grep . && fail "$1 does not offer these after '$3'"
}
in_bash() {
  bash -c '. docs/reference/manual/seam.bash; read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _seam; printf "%s\n" "${COMPREPLY[@]}"' bash "$1" | sort -u
}
in_zsh() { timeout 30 zsh -f tests/labs/zsh_complete.zsh "$(pwd)/docs/reference/manual" "$1" | sort -u; }
for shell in bash zsh; do
  command -v $shell >/dev/null || { echo "no $shell here: its completion is not tried"; continue; }
  offers in_$shell "$dir/commands" 'seam '
  offers in_$shell "$dir/labs" 'seam lab '
  offers in_$shell "$dir/options" 'seam lab --'
done
exit $bad
