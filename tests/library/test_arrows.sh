#!/bin/sh
# Goal:   make arrows fails when something points up.
# Method: its script over a tree of three files that is right, then with one include too many, then with one symbol.
set -u
script=$PWD/tests/arrows.sh circles=$PWD/tests/circles.sh
dir=$(mktemp -d "${TMPDIR:-/tmp}/arrows-test-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0
must() { # CODE WHAT PATTERN command...
  want=$1 what=$2 pattern=$3; shift 3
  "$@" >out 2>&1; got=$?
  [ $got = "$want" ] && grep -qE "$pattern" out || { echo "FAIL: $what: exit $got, wanted $want with '$pattern':"; cat out; bad=1; }
}
build() { for c in $(find pipeline -name '*.c'); do mkdir -p "b/obj/$(dirname "$c")"; ${CC:-cc} -I. -c "$c" -o "b/obj/${c%.c}.o" || exit 1; done; }
for room in engine wal oltp columnar invidx hnsw; do mkdir -p $room "b/obj/$room"; echo "int ${room}_x;" >$room/x.c; ${CC:-cc} -c $room/x.c -o b/obj/$room/x.o || exit 1; done
mkdir -p pipeline/stream pipeline/sinks pipeline/cli
echo 'int stream_x(void);' >pipeline/stream/s.h
echo 'int sink_x(void);' >pipeline/sinks/k.h
printf '#include "pipeline/stream/s.h"\nint stream_x(void) { return 1; }\n' >pipeline/stream/s.c
printf '#include "pipeline/sinks/k.h"\n#include "pipeline/stream/s.h"\nint sink_x(void) { return stream_x(); }\n' >pipeline/sinks/k.c
build
must 0 'a tree that is right' 'points down' sh "$script" b
must 0 'and has no circle' 'no file' sh "$circles" b
printf '#include "pipeline/sinks/k.h"\nint stream_x(void) { return 1; }\n' >pipeline/stream/s.c
must 1 'an include that points up' 'pipeline/stream/s.c includes pipeline/sinks/k.h' sh "$script"
printf 'int sink_x(void);\nint stream_x(void) { return sink_x(); }\n' >pipeline/stream/s.c
must 0 'no include, so without objects nothing is seen' 'points down' sh "$script"
build
must 1 'a symbol that points up' 'pipeline/stream/s.c needs pipeline/sinks/k.c of sinks.*sink_x' sh "$script" b
must 1 'and is a circle' 'pipeline/s' sh "$circles" b
printf '#include "pipeline/stream/s.h"\n' >engine/y.c
must 1 'a room that points up' 'engine/ includes pipeline/' sh "$script"
[ $bad -eq 0 ] && echo 'arrows and circles fail when something points up'
exit $bad
