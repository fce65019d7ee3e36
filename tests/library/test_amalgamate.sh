#!/bin/sh
# Goal:   each store as two files: they compile alone, without a warning, with gcc and clang, work from C and C++, and
#         all five stand in one program.
# Method: make amalgamate, then everything in a folder outside the tree; the examples are run and their answers looked at.
set -u
build=${BUILD:-build}
make=${MAKE:-make}
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-amalgamate-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
command -v gcc >/dev/null 2>&1 || { echo "skipped: no gcc here"; exit 77; }
case $build in *-address*|*-thread*|*-undefined*) echo "skipped: strangers compile without sanitizers"; exit 77 ;; esac
$make --no-print-directory BUILD="$build" amalgamate >"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }
for s in wal oltp columnar invidx hnsw; do cp "$build/amalgamation/seam_$s.h" "$build/amalgamation/seam_$s.c" "$build/amalgamation/example_$s.c" "$dir/"; done
cd "$dir" || exit 1
answer() { case $1 in wal) echo 'the kettle boils' ;; oltp) echo 'a kettle, as of LSN' ;; columnar) echo '100,5050.00' ;;
  invidx) echo 'garden hose' ;; hnsw) echo '(4, 7)' ;; esac; }
# ran NAME PROGRAM STORE: runs it in a folder of its own
ran() {
  rm -rf data
  "./$2" data/store >out 2>&1 || { fail "$1 fails:"; head -n 5 out; return; }
  grep -qF -- "$(answer "$3")" out || { fail "$1 does not say \"$(answer "$3")\":"; head -n 5 out; return; }
  runs=$((runs + 1))
}
runs=0
strict='-Wall -Wextra -Werror'
for s in wal oltp columnar invidx hnsw; do
  if command -v clang >/dev/null 2>&1; then
    clang $strict -fsyntax-only "seam_$s.c" "example_$s.c" >out 2>&1 || { fail "clang refuses seam_$s.c:"; head -n 8 out; }
  else echo "skipped: no clang here"; fi
  gcc -O0 $strict -c "seam_$s.c" -o "$s.o" >out 2>&1 || { fail "gcc refuses seam_$s.c:"; head -n 8 out; continue; }
  gcc -O0 $strict "example_$s.c" "$s.o" -pthread -lm -o program >out 2>&1 || { fail "gcc refuses example_$s.c:"; head -n 8 out; continue; }
  ran "example_$s (gcc)" program "$s"
  odd=$(nm -g --defined-only "$s.o" | awk 'NF == 3 {print $3}' | grep -vE '^(seam|wal|oltp|columnar|invidx|hnsw)_')
  [ -z "$odd" ] || fail "seam_$s.c: without a room's prefix:" $odd
  command -v g++ >/dev/null 2>&1 || continue
  g++ -std=c++17 $strict -Wno-missing-field-initializers -x c++ "example_$s.c" -x none "$s.o" -pthread -lm -o program >out 2>&1 ||
    { fail "g++ refuses example_$s.c:"; head -n 8 out; continue; }
  ran "example_$s (g++)" program "$s"
done

# All five in one program, and all five headers in one file, in any order.
{ for s in hnsw oltp invidx wal columnar; do echo "#include \"seam_$s.h\""; done
  for s in wal oltp columnar invidx hnsw; do echo "int main_$s(int argc, char **argv);"; done
  echo 'int main(int argc, char **argv)
{
    return argc < 1 || main_wal(2, (char *[]){argv[0], "all/wal", 0}) || main_oltp(2, (char *[]){argv[0], "all/rows/oltp", 0}) ||
           main_columnar(2, (char *[]){argv[0], "all/columnar", 0}) || main_invidx(2, (char *[]){argv[0], "all/invidx", 0}) ||
           main_hnsw(2, (char *[]){argv[0], "all/hnsw", 0}) || seam_version_number() != SEAM_VERSION_NUMBER;
}'; } >all.c
objects=
for s in wal oltp columnar invidx hnsw; do
  gcc $strict -c "-Dmain=main_$s" "example_$s.c" -o "example_$s.o" 2>out || { fail "example_$s.c"; head -n 5 out; }
  objects="$objects example_$s.o $s.o"
done
if gcc $strict all.c $objects -pthread -lm -o everything >out 2>&1; then
  ./everything >out 2>&1 || { fail "five stores in one program fail:"; tail -n 5 out; }
  for s in wal oltp columnar invidx hnsw; do grep -qF -- "$(answer $s)" out || fail "five stores in one program: $s does not answer"; done
else fail "five stores do not stand in one program:"; head -n 8 out; fi

cd - >/dev/null || exit 1
$make --no-print-directory BUILD="$build" amalgamate STORE=nosuch >"$dir/out" 2>&1 && fail "make amalgamate takes a store that is none"
grep -q 'no store nosuch' "$dir/out" || fail "make amalgamate does not name the stores there are"
[ "$bad" -eq 0 ] && echo "$runs examples of amalgamated stores ran"
exit $((bad > 0))
