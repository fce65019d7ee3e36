#!/bin/sh
# Goal:   every lab's page runs in a browser to its last step, without an error.
# Method: headless Chromium where there is one: the page walks itself to the end (#end) and marks the step it shows.
set -u
build=${BUILD:-build}
chrome=/usr/bin/chromium
[ -x "$chrome" ] || { echo 'skipped: no /usr/bin/chromium here'; exit 77; }
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-labs-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
for lab in $("$build/seam" lab | awk 'NR > 1 {print $1}'); do
  "$build/seam" lab "$lab" --quiet --html "$dir/$lab.html" || { bad=1; continue; }
  steps=$(grep -c '^<section' "$dir/$lab.html")
  timeout 60 "$chrome" --headless --no-sandbox --disable-gpu --enable-logging=stderr --virtual-time-budget=3000 \
    --screenshot="$dir/$lab.png" --dump-dom "file://$dir/$lab.html#end" >"$dir/dom" 2>"$dir/log"
  grep -q "data-step=\"$steps\"" "$dir/dom" || { echo "FAIL: $lab: the page did not reach step $steps"; bad=1; }
  if grep -E 'CONSOLE.*(rror|Uncaught)' "$dir/log"; then echo "FAIL: $lab: the console has errors"; bad=1; fi
done
exit $bad
