#!/bin/sh
# One handwriting: every .c and .h is as .clang-format says. Skipped, with a line, where clang-format is missing or is
# another release than the one the tree was written with (releases differ in small things).
set -u
command -v clang-format >/dev/null 2>&1 || { echo 'format: skipped, clang-format is not installed (apt-get install clang-format)'; exit 0; }
release=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
[ "$release" = 14 ] || { echo "format: skipped, this is clang-format $release and the tree is written with 14"; exit 0; }
files=$(find engine wal oltp columnar invidx hnsw pipeline tests bench docs -name '*.[ch]')
# shellcheck disable=SC2086
clang-format -n --Werror $files 2>/tmp/seam-format.$$ && { rm -f /tmp/seam-format.$$; echo 'format: every file is as .clang-format says'; exit 0; }
grep -oE '^[^:]+\.[ch]:[0-9]+' /tmp/seam-format.$$ | sort -u | head -n 20
rm -f /tmp/seam-format.$$
echo 'format: not as .clang-format says (make format)'
exit 1
