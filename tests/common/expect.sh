# For command line tests, sourced by them: the program, a folder of its own, and `expect`. Its two counts are for the last line.
seam=${BUILD:-build}/seam
[ -x "$seam" ] || { echo "skipped: $seam is not built (make all)"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-cli-XXXXXX")
trap 'rm -rf "$dir"' EXIT
p=$dir/shop
bad=0 checks=0

# expect CODE TEXT COMMAND...: the exit code, and TEXT somewhere in what was printed.
expect() {
  want=$1 text=$2; shift 2
  timeout 120 "$@" >"$dir/out" 2>&1 </dev/null
  got=$?
  checks=$((checks + 1))
  if [ "$got" != "$want" ] || ! grep -qF -- "$text" "$dir/out"; then
    echo "FAIL: $*"; echo "  exit $got, wanted $want, with \"$text\" in:"; head -n 5 "$dir/out" | sed 's/^/    /'
    bad=$((bad + 1))
  fi
}
