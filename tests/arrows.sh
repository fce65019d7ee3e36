#!/bin/sh
# Who includes whom, against the design: a store may include itself and the rooms below it, nothing else.
set -u
bad=0
allowed() { case $1 in
  engine) echo engine ;; wal) echo wal engine ;; oltp) echo oltp wal engine ;;
  columnar|invidx|hnsw) echo "$1" engine ;; pipeline) echo engine wal oltp columnar invidx hnsw pipeline ;; esac; }
for room in engine wal oltp columnar invidx hnsw pipeline; do
  for inc in $(grep -hoE '^#include "[a-z]+/' $(find $room -name '*.[ch]') /dev/null | sed -E 's|.*"([a-z]+)/|\1|' | sort -u); do
    case " $(allowed $room) " in *" $inc "*) ;; *) echo "$room/ includes $inc/, against docs/architecture.md:"; grep -rn "#include \"$inc/" $room; bad=1 ;; esac
  done
done
[ $bad -eq 0 ] && echo 'arrows: every include points down'
exit $bad
