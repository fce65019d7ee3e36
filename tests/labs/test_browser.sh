#!/bin/sh
# Goal:   every lab's page, and the status page, works in a browser: it steps to its end by keyboard, searches, says what it shows, is readable in
#         light and dark and in a narrow window, no word stands on another, nothing is in the console.
# Method: one headless Chromium holds all pages in frames (browser.js walks them) and takes one picture of the lot; once
#         light and wide, once dark and narrow. SEAM_SHOTS=DIR keeps the pictures.
set -u
build=${BUILD:-build}
chrome=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
[ -n "$chrome" ] || { echo 'skipped: no Chromium here'; exit 77; }
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
case $build in *notrace*) echo 'skipped: this build has no trace'; exit 77 ;; esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-labs-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0 pages="'index.html'" count=1
"$build/seam" lab --quiet --html "$dir/index.html" || bad=1
for lab in $("$build/seam" lab </dev/null | awk 'NR > 1 {print $1}'); do
  "$build/seam" lab "$lab" --quiet --html "$dir/$lab.html" || bad=1
  pages="$pages,'$lab.html'" count=$((count + 1))
done

# The status page of a small platform that has been checked.
{ "$build/seam" init "$dir/shop" && "$build/seam" generate "$dir/shop" --orders 40 &&
  "$build/seam" run "$dir/shop" --until-caught-up && "$build/seam" check "$dir/shop" reconcile &&
  "$build/seam" check "$dir/shop" recall && "$build/seam" status "$dir/shop" --html "$dir/status.html"; } \
  >"$dir/shop.log" 2>&1 || { cat "$dir/shop.log"; bad=1; }
pages="$pages,'status.html'" count=$((count + 1))

look() { # NAME WIDTH FLAGS...: all pages in frames of this width
  name=$1 width=$2; shift 2
  { echo '<!doctype html><meta charset="utf-8"><title>labs</title><style>iframe{border:1px solid #888;margin:4px}'
    echo 'body{margin:0}pre{font-size:12px}</style><div id="frames"></div><pre id="told"></pre><script>'
    echo "var pages=[$pages],width=$width,scheme='$name';"; cat tests/labs/browser.js; echo '</script>'; } >"$dir/$name.page.html"
  timeout 120 "$chrome" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --allow-file-access-from-files --enable-logging=stderr --virtual-time-budget=20000 --window-size=2440,6600 "$@" \
    --user-data-dir="$dir/profile" --screenshot="$dir/$name.png" --dump-dom "file://$dir/$name.page.html" \
    >"$dir/$name.dom" 2>"$dir/$name.log"
  grep -E '^FAIL: ' "$dir/$name.dom" && bad=1
  if grep -E 'CONSOLE.*"' "$dir/$name.log"; then echo "FAIL: $name: the console is not empty"; bad=1; fi
  grep -q "looked at $count" "$dir/$name.dom" || { echo "FAIL: $name: not every page was looked at"; bad=1; }
  [ -s "$dir/$name.png" ] || { echo "FAIL: $name: no picture"; bad=1; }
}

look light 1200
look dark 480 --force-prefers-color-scheme=dark --blink-settings=preferredColorScheme=0
if [ -n "${SEAM_SHOTS:-}" ]; then mkdir -p "$SEAM_SHOTS" && cp "$dir"/*.png "$SEAM_SHOTS/"; fi
exit $bad
