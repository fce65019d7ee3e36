#!/bin/sh
# Builds one peer program when what it needs is here; otherwise says so in one line. Never fails the make.
set -u
source=$1
name=$(basename "$source"); name=${name%.*}
out=${BUILD:-build}/peers/$name
head_line() { sed -n "1,40s/.*peer-$1: *//p" "$source" | sed 's| *\*/ *$||' | head -n 1; }
libs=$(head_line libs); package=$(head_line package); flags=$(head_line flags)
[ -x "$out" ] && [ -z "$(find "$source" bench/common/peer.h -newer "$out")" ] && exit 0
case $source in
  *.cc) compile="${CXX:-c++} -std=c++17" ;;
  *) compile="${CC:-cc} -std=c11 -D_GNU_SOURCE" ;;
esac
log=$out.log
# shellcheck disable=SC2086
if $compile -O3 -I. $flags "$source" -o "$out" $libs -lm -lpthread 2>"$log"; then
  echo "peer $name: built"
  rm -f "$log"
elif grep -qE 'fatal error: .*(No such file|file not found)|cannot find -l|undefined reference|library not found|ld: ' "$log"; then
  rm -f "$out"
  echo "peer $name: absent, needs $libs (apt-get install ${package:-its library})"
else
  rm -f "$out"
  echo "peer $name: does not compile here, see $log"
fi
exit 0
