#!/bin/sh
# amalgamate.sh STORE OUT DOORS SYMBOLS OBJECT...: one store as two files, OUT/seam_STORE.h and OUT/seam_STORE.c.
#
#   header   the doors, one after the other, each behind its own include guard: two stores' headers go together
#   source   every .c that the doors' functions need (found by walking the objects' symbols), private headers in place
#            where they are first included; what two files name alike at file scope gets its file's name before it,
#            and a file's macros end with it
#
# Symbols of the rooms below the store are weak, so that two amalgamations can stand in one program. It is made for
# the processor and system it is made on: other processors' kernels are there, but not tried for clashes.
set -eu
export LC_ALL=C
store=$1 out=$2 doors=$3 symbols=$4
shift 4
here=$(dirname "$0")
version=$(awk '/^#define SEAM_VERSION_(MAJOR|MINOR|PATCH)/ {printf "%s%s", dot, $3; dot = "."}' engine/base/version.h)
mkdir -p "$out"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/seam-amalgamate-XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# ---- which files: those that define what the doors declare, and so on down ----
nm -A -g "$@" >"$tmp/nm"
awk -v symbols="$symbols" '
  { file = $1; sub(/:.*/, "", file); name = $NF; type = $(NF - 1)
    if (type == "U") needs[file] = needs[file] " " name
    else { defines[name] = file; names[file] = names[file] " " name } }
  END {
    while ((getline line < symbols) > 0) queue[++n] = line
    for (i = 1; i <= n; i++) {
      file = defines[queue[i]]
      if (file == "" || file in taken) continue
      taken[file] = 1
      m = split(needs[file], more, " ")
      for (j = 1; j <= m; j++) queue[++n] = more[j]
    }
    for (file in taken) print file names[file]
  }' "$tmp/nm" | sort >"$tmp/taken"
# The rooms from the ground up: a file stands behind what it needs.
for room in engine wal oltp columnar invidx hnsw; do
  sed -n "s|^.*/pic/\($room/[^ ]*\)\.o.*|\1.c|p" "$tmp/taken"
done >"$tmp/files"
cut -d' ' -f2- "$tmp/taken" | tr ' ' '\n' | grep -v "^${store}_" | sort -u >"$tmp/below"

# ---- which names two files have: they get their file before them (oltp/table.c's grow: oltp_table__grow) ----
# Also those that a private header or the C library has. Where a file pastes tokens, what begins with such a name goes
# with it. A macro is told apart only from a header's: it ends with its file anyway.
own='^(engine|wal|oltp|columnar|invidx|hnsw)/'
while read -r file; do
  ${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -E -dD "$file" | awk -v want="$own" -f "$here/names.awk" |
    awk -v file="$file" '$1 != "tag" && $1 != "nested" && $1 != "function" && ($2 == file || $2 ~ /\.h$/) {print $1, $2, $3}'
done <"$tmp/files" | sort -u >"$tmp/locals"
xargs grep -hE '^#include <' <"$tmp/files" | grep -vE 'mmintrin|arm_|cpuid' | sort -u >"$tmp/system.c"
{ printf '#define _GNU_SOURCE\n'; cat "$tmp/system.c"; } >"$tmp/all.c"
${CC:-cc} -std=c11 -E "$tmp/all.c" | awk -v want=. -f "$here/names.awk" | awk '{print $3}' | sort -u >"$tmp/taken-names"
awk '$2 ~ /\.h$/ {print $3}' "$tmp/locals" | sort -u >>"$tmp/taken-names"
xargs grep -l '##' <"$tmp/files" >"$tmp/pasting" || true
awk -v pasting="$tmp/pasting" '
  BEGIN { while ((getline line < pasting) > 0) pastes[line] = 1 }
  NR == FNR {taken[$1] = 2; next}
  $2 ~ /\.h$/ {next}
  {file[++n] = $2; name[n] = $3; macro[n] = $1 == "macro"}
  !(($2, $3) in seen) {seen[$2, $3] = 1; if ($1 != "macro") taken[$3]++}
  END {
    for (i = 1; i <= n; i++) if (taken[name[i]] > 1) { renamed[file[i], name[i]] = 1; bases[file[i]] = bases[file[i]] " " name[i] }
    for (i = 1; i <= n; i++) {
      m = file[i] in pastes ? split(bases[file[i]], base, " ") : 0
      for (j = 1; j <= m; j++) if (index(name[i], base[j] "_") == 1) renamed[file[i], name[i]] = 1
      print ((file[i], name[i]) in renamed ? "rename" : macro[i] ? "undef" : "keep"), file[i], name[i]
    }
  }' "$tmp/taken-names" "$tmp/locals" | sort -u >"$tmp/plan"

# ---- the two files ----
licence() {
  printf '/* seam_%s.%s - the store %s/ of seam %s in two files.\n *\n' "$store" "$1" "$store" "$version"
  printf ' * Made by `make amalgamate STORE=%s`; the files it was made of are the ones to read and to change.\n *\n' "$store"
  sed 's/^/ * /; s/ *$//' LICENSE
  printf ' */\n'
}
{ licence h; awk -v doors="$doors" -v part=header -f "$here/amalgamate.awk" </dev/null; } >"$out/seam_$store.h"
{ licence c
  printf '#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n#include "seam_%s.h"\n\n' "$store"
  printf '/* Of what a private header offers, one store alone may not use everything. */\n'
  printf '#pragma GCC diagnostic ignored "-Wunused-function"\n\n'
  printf '/* Two stores amalgamated share these: the first one linked is taken. */\n'
  sed 's/^/#pragma weak /' "$tmp/below"
  awk -v doors="$doors" -v part=source -v plan="$tmp/plan" -f "$here/amalgamate.awk" <"$tmp/files"; } >"$out/seam_$store.c"
cp "docs/examples/amalgamation/$store.c" "$out/example_$store.c"
echo "$out/seam_$store.c: $(wc -l <"$tmp/files") files, $(wc -l <"$out/seam_$store.c") lines, $(grep -c '^rename' "$tmp/plan") names told apart"
