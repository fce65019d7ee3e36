#!/bin/sh
# Goal:   a stranger's program can include any front door, first and alone, in C and in C++, and nothing that it then
#         sees carries a name that could be the program's own.
# Method: each header of `make doors` is compiled alone as C11 and C++17 by every compiler there is; what all of them
#         declare is listed from the preprocessed text, and each name must begin with the prefix of its header's room.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-doors-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
doors=$(${MAKE:-make} -s --no-print-directory doors)
[ -n "$doors" ] || { echo "FAIL: make doors lists nothing"; exit 1; }

# alone COMPILER STANDARD LANGUAGE: twice, so that the guard is tried too
strict='-Wall -Wextra -Wpedantic -Werror -fsyntax-only'
alone() {
  command -v "$1" >/dev/null 2>&1 || { echo "skipped: no $1 here"; return; }
  for h in $doors; do
    printf '#include "%s"\n#include "%s"\nint seam_test_of_a_door;\n' "$h" "$h" >"$dir/one"
    "$1" "-std=$2" -I. $strict -x "$3" "$dir/one" >"$dir/out" 2>&1 || { fail "$1 -std=$2 refuses $h:"; head -n 6 "$dir/out"; }
  done
}
alone gcc c11 c
alone clang c11 c
alone g++ c++17 c++
alone clang++ c++17 c++

# A door opens on doors only: what it includes is installed too.
for h in $doors; do
  for inner in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$h"); do
    echo "$doors" | grep -qx "$inner" || fail "$h includes $inner, which is no door"
  done
done

# Names: engine's are seam_, the stores' their room's. Include guards are SEAM_..._H everywhere.
for h in $doors; do printf '#include "%s"\n' "$h"; done >"$dir/all.c"
${CC:-cc} -std=c11 -I. -E -dD "$dir/all.c" >"$dir/all.i" || fail "the doors do not preprocess together"
awk -v want='^(engine|wal|oltp|columnar|invidx|hnsw|pipeline)/' -f docs/reference/library/names.awk "$dir/all.i" >"$dir/names"
awk '{ room = $2; sub(/\/.*/, "", room)
       if ($2 ~ /^pipeline\/stream\//) room = "stream"
       prefix = room == "engine" ? "seam" : room
       if ($1 == "nested") { print "a type inside a struct (C++ would hide its names): " $3 " in " $2; next }
       if ($1 == "macro" && $3 ~ /^SEAM_[A-Z0-9_]*_H$/) next
       if ($1 == "tag" || $1 == "type") { if (tolower($3) ~ /^(seam|wal|oltp|columnar|invidx|hnsw|stream)(_|$)/) next }
       else if (index(tolower($3), prefix "_") == 1) next
       print $1 " " $3 " of " $2 " does not begin with " prefix "_" }' "$dir/names" >"$dir/wrong"
[ -s "$dir/wrong" ] && { fail "names without their room's prefix:"; cat "$dir/wrong"; }

# The lister itself: it must see every kind of name, or it proves nothing.
cat >"$dir/probe.h" <<'PROBE'
#define LOUD(x) (x)
typedef enum status (*handler)(void *p);
typedef unsigned long word_t;
enum colour { RED = 1 << (2), GREEN };
struct io { int fd; union { int i; } u; enum { OPEN, CLOSED } kind; };
extern int counter;
static inline int twice(int x) { return LOUD(x) * 2; }
__attribute__((format(printf, 1, 2))) int say(const char *fmt, ...) __attribute__((cold));
struct pair both(struct pair p[2]);
PROBE
printf '#include "probe.h"\n' >"$dir/probe.c"
(cd "$dir" && ${CC:-cc} -std=c11 -E -dD probe.c) | awk -v want='probe' -f docs/reference/library/names.awk |
  awk '{print $1, $3}' | sort >"$dir/seen"
sort >"$dir/expected" <<'SEEN'
constant GREEN
constant RED
function both
function say
inline twice
macro LOUD
nested enum
object counter
tag colour
tag io
tag pair
tag status
type colour
type io
typedef handler
typedef word_t
SEEN
diff "$dir/expected" "$dir/seen" || fail "names.awk does not see what it should"

[ "$bad" -eq 0 ] && echo "$(echo "$doors" | wc -l) doors, $(wc -l <"$dir/names") names"
exit $((bad > 0))
