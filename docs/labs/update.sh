#!/bin/sh
# Makes the outputs in the lab sheets again: what stands between "<!-- output: COMMAND -->" and "<!-- end -->" is
# replaced by what COMMAND prints (seam is build/seam). With --check nothing is written; a sheet that would change fails.
set -u
check=${1-}
PATH="$(pwd)/${BUILD:-build}:$PATH"; export PATH
new=$(mktemp "${TMPDIR:-/tmp}/seam-sheet-XXXXXX")
trap 'rm -f "$new"' EXIT
bad=0
for sheet in docs/labs/*.md; do
  [ -f "$sheet" ] || continue
  awk '
    /^<!-- output: .* -->$/ {
      print; command = $0; sub(/^<!-- output: /, "", command); sub(/ -->$/, "", command)
      print "```text"
      run = "(" command ") </dev/null"; while ((run | getline line) > 0) { sub(/[ \t]+$/, "", line); if (line != "" || printed) print line; printed = 1 }
      close(run); print "```"; skipping = 1; printed = 0; next
    }
    /^<!-- end -->$/ { skipping = 0 }
    !skipping { print }
    END { exit skipping }' "$sheet" >"$new" || {
    echo "BROKEN: $sheet: an output block without its <!-- end -->; nothing was written"; bad=1; continue; }
  cmp -s "$sheet" "$new" && continue
  if [ "$check" = --check ]; then
    echo "STALE: $sheet (make labs-update):"; diff "$sheet" "$new" | head -n 10; bad=1
  else
    cat "$new" >"$sheet"; echo "updated $sheet"
  fi
done
exit $bad
