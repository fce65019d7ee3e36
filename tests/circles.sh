#!/bin/sh
# No circle of symbols between the files of a room: whoever reads one from the bottom up meets nothing that is explained
# later. tests/circles.sh BUILD: by nm over the objects, by tsort over who needs whom.
set -u
build=${1:-build}
bad=0
for room in engine wal oltp columnar invidx hnsw pipeline; do
  for o in $(find "$build/obj/$room" -name '*.o'); do # one whose source is gone tells of the past
    c=${o#"$build/obj/"}; [ -f "${c%.o}.c" ] && echo "$o"
  done | xargs nm -A | awk '
    { file = $1; sub(/:.*/, "", file); name = $NF; kind = $(NF - 1) }
    kind == "U" { needs[file SUBSEP name] = 1 }
    kind ~ /^[TDBRC]$/ { home[name] = file }
    END { for (k in needs) { split(k, p, SUBSEP); if (p[2] in home && home[p[2]] != p[1]) print p[1], home[p[2]] } }' >"$build/circles.$room"
  if ! tsort "$build/circles.$room" >/dev/null 2>"$build/circles.$room.err"; then
    echo "$room: a circle of symbols:"; sed "s|.*$build/obj/||" "$build/circles.$room.err" | grep -v 'contains a loop' | head -n 20; bad=1
  fi
done
[ $bad -eq 0 ] && echo 'circles: no file of a room needs one that needs it'
exit $bad
