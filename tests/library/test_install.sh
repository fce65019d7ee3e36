#!/bin/sh
# Goal:   a stranger can install seam, link one store or all of them, in C and in C++, against the archives and the
#         shared library, whatever names the program has itself; and `make uninstall` leaves nothing behind.
# Method: make install into an empty prefix; every program of docs/examples is built outside the tree through pkg-config
#         and run; so is a program that defines the likeliest names (names.txt) and uses every store; nm must show the
#         symbols that the doors declare and not one more.
set -u
build=${BUILD:-build}
make=${MAKE:-make}
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-install-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=$((bad + 1)); }
command -v pkg-config >/dev/null 2>&1 || { echo "skipped: no pkg-config here"; exit 77; }
case $build in *-address*|*-thread*|*-undefined*) echo "skipped: strangers link without sanitizers"; exit 77 ;; esac
tree=$(pwd)

$make --no-print-directory BUILD="$build" PREFIX="$dir/usr" install >"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }
export PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig" PKG_CONFIG_LIBDIR="$dir/usr/lib/pkgconfig"
prefix=$dir/usr

# ---- the symbols ----
shown() { nm -g --defined-only "$1" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u; }
for lib in '' -wal -oltp -columnar -invidx -hnsw; do
  shown "$prefix/lib/libseam$lib.a" >"$dir/shown"
  listed=$build/library/$([ -z "$lib" ] && echo all || echo "${lib#-}").symbols
  diff "$listed" "$dir/shown" >"$dir/diff" || { fail "libseam$lib.a shows other names than its doors declare:"; head "$dir/diff"; }
  odd=$(grep -vE '^(seam|wal|oltp|columnar|invidx|hnsw|stream)_' "$dir/shown")
  [ -z "$odd" ] || fail "libseam$lib.a: without a room's prefix:" $odd
done
nm -D --defined-only "$prefix/lib/libseam.so" | awk 'NF == 3 {print $3}' | sort -u >"$dir/shown"
diff "$build/library/all.symbols" "$dir/shown" >"$dir/diff" || { fail "libseam.so shows other names:"; head "$dir/diff"; }
# In the rooms everything that another file can see has its prefix too.
for room in engine wal oltp columnar invidx hnsw; do
  [ -f "$build/pic/$room.a" ] || continue
  p=$([ $room = engine ] && echo seam || echo $room)
  odd=$(shown "$build/pic/$room.a" | grep -v "^${p}_")
  [ -z "$odd" ] || fail "$room/: without the prefix ${p}_:" $odd
done
# pipeline/'s sub-rooms have their own; cli/ is the program's and in no library.
shown "$build/lib/pipeline.a" >"$dir/shown"
odd=$(grep -vE '^(platform|shop|import|relay|stream|sink|view|audit|embed|embedder|eval|compare|hybrid|search|ask|contract|contracts|freshness|reconcile|paper)_' "$dir/shown")
[ -z "$odd" ] || fail "pipeline/: without a sub-room's prefix:" $odd
# A static function never bears the name of a global one of another file: who reads a call must know what is called.
find engine wal oltp columnar invidx hnsw pipeline -name '*.c' | sed "s|^\(.*\)\.c$|$build/obj/\1.o|" | xargs nm -A 2>/dev/null |
  awk '$(NF - 1) ~ /^[TDBR]$/ {global[$NF] = $1} $(NF - 1) ~ /^[tdbr]$/ {local[$NF] = local[$NF] " " $1}
       END {for (n in global) if (n in local) print n " of " global[n] " is also a static of" local[n]}' >"$dir/both"
[ -s "$dir/both" ] && { fail "one name, a global and a static:"; cat "$dir/both"; }
[ "$(pkg-config --modversion seam)" = "$("$prefix/bin/seam" --version | awk '{print $2}')" ] || fail "seam.pc and seam --version differ"

# ---- the examples ----
store_of() { case $1 in row_store) echo oltp ;; change_log) echo wal ;; column_store) echo columnar ;;
  word_index) echo invidx ;; vector_graph) echo hnsw ;; *) echo '' ;; esac; }
c='-std=c11 -Wall -Wextra -Werror'
cxx='-x c++ -std=c++17 -Wall -Wextra -Wno-missing-field-initializers -Werror'
cd "$dir" || exit 1
# built NAME WAY COMPILER FLAGS SOURCE LIBS...: builds and runs, and keeps what it printed
built() {
  name=$1 way=$2 compiler=$3 flags=$4 source=$5
  shift 5
  command -v "$compiler" >/dev/null 2>&1 || { echo "skipped: no $compiler here"; return; }
  "$compiler" $flags $(pkg-config --cflags seam) "$source" -x none -o "$dir/program" "$@" >"$dir/out" 2>&1 ||
    { fail "$name does not build ($way):"; head -n 8 "$dir/out"; return; }
  rm -rf "$dir/data"
  LD_LIBRARY_PATH="$prefix/lib" "$dir/program" "$dir/data" >"$dir/$name.$way" 2>&1 ||
    { fail "$name fails ($way):"; tail -n 5 "$dir/$name.$way"; return; }
  runs=$((runs + 1))
}
runs=0
static="$prefix/lib/libseam.a $(pkg-config --libs-only-other seam) $(pkg-config --static --libs-only-l seam | sed 's/-lseam//')"
for example in "$prefix"/share/doc/seam/examples/*.c; do
  name=$(basename "$example" .c)
  built "$name" c-shared gcc "$c" "$example" $(pkg-config --libs seam)
  built "$name" c-static gcc "$c" "$example" $static
  built "$name" cxx-shared g++ "$cxx" "$example" $(pkg-config --libs seam)
  built "$name" cxx-static g++ "$cxx" "$example" $static
  store=$(store_of "$name")
  if [ -n "$store" ]; then
    built "$name" c-alone gcc "$c" "$example" $(pkg-config --libs "seam-$store")
    built "$name" cxx-alone g++ "$cxx" "$example" $(pkg-config --libs "seam-$store")
  fi
  for way in c-static cxx-shared cxx-static c-alone cxx-alone; do
    [ -f "$name.$way" ] || continue
    sed 's/[0-9]* us//' "$name.c-shared" >"$dir/a"; sed 's/[0-9]* us//' "$name.$way" >"$dir/b"
    cmp -s "$dir/a" "$dir/b" || { fail "$name answers otherwise ($way):"; diff "$dir/a" "$dir/b" | head -n 6; }
  done
done

# ---- the program with names of its own ----
sed 's/.*/NAME(&)/' "$tree/tests/library/names.txt" >"$dir/names.inc"
[ "$(sort -u "$tree/tests/library/names.txt" | wc -l)" -ge 40 ] || fail "fewer than 40 names are tried"
clash() { # WAY COMPILER FLAGS LIBS...
  way=$1 compiler=$2 flags=$3
  shift 3
  command -v "$compiler" >/dev/null 2>&1 || { echo "skipped: no $compiler here"; return; }
  objects=
  for example in "$prefix"/share/doc/seam/examples/*.c; do
    name=$(basename "$example" .c)
    "$compiler" $flags $(pkg-config --cflags seam) "-Dmain=${name}_main" -c "$example" -o "$dir/$name.o" >"$dir/out" 2>&1 ||
      { fail "clash: $name ($way):"; head -n 5 "$dir/out"; return; }
    objects="$objects $dir/$name.o"
  done
  built clash "$way" "$compiler" "$flags -I$dir" "$tree/tests/library/clash.c" $objects "$@"
}
clash c-static gcc "$c" $static
clash c-shared gcc "$c" $(pkg-config --libs seam)
clash cxx-static g++ "$cxx" $static
clash cxx-shared g++ "$cxx" $(pkg-config --libs seam)
# Two stores' own archives in one program.
cat >two.c <<'TWO'
#include "hnsw/hnsw.h"
#include "oltp/oltp.h"
#include <stdio.h>
int main(int argc, char **argv)
{
    struct seam_fault f = {0};
    struct hnsw_options o = {.dim = 4};
    struct hnsw *h = NULL;
    struct oltp *db = NULL;
    enum seam_status st = oltp_open(seam_io_posix(), argv[argc - 1], NULL, &db, &f);

    if (st == SEAM_OK) st = hnsw_new(&o, NULL, &h, &f);
    hnsw_close(h);
    if (st == SEAM_OK) st = oltp_close(db, &f);
    return printf("%s\n", seam_status_name(st)), (int)st;
}
TWO
built two c-alone gcc "$c" two.c $(pkg-config --libs seam-oltp seam-hnsw)
built two cxx-alone g++ "$cxx" two.c $(pkg-config --libs seam-hnsw seam-oltp)

# ---- and away again ----
cd "$tree" || exit 1
$make --no-print-directory BUILD="$build" PREFIX="$dir/usr" uninstall >"$dir/log" 2>&1 || fail "make uninstall failed"
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail "make uninstall leaves" $left
[ -d "$prefix/include/seam" ] && fail "make uninstall leaves include/seam"
# DESTDIR is put before every path, and nothing is written elsewhere.
$make --no-print-directory BUILD="$build" DESTDIR="$dir/stage" PREFIX=/opt/seam install >"$dir/log" 2>&1 || fail "make install with DESTDIR failed"
[ -f "$dir/stage/opt/seam/include/seam/oltp/oltp.h" ] && [ -f "$dir/stage/opt/seam/lib/libseam.so" ] || fail "DESTDIR: files are missing"
grep -q '^prefix=/opt/seam$' "$dir/stage/opt/seam/lib/pkgconfig/seam.pc" || fail "DESTDIR stands in seam.pc"
[ "$bad" -eq 0 ] && echo "$runs programs built from an installed seam and run; $(wc -l <"$build/library/all.symbols") symbols shown"
exit $((bad > 0))
