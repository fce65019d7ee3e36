#!/bin/sh
# Draws every bench/charts/NAME*.gp from a bench's TSV into $BUILD/charts/. Each script is given the
# variables `tsv` (the file) and `out` (the folder).
set -u
name=$1 tsv=$2
out=${OUT:-${BUILD:-build}/charts}
ls bench/charts/"$name"*.gp >/dev/null 2>&1 || exit 0
if ! command -v gnuplot >/dev/null 2>&1; then echo 'charts skipped: gnuplot is not here'; exit 0; fi
mkdir -p "$out"
for g in bench/charts/"$name"*.gp; do
  if gnuplot -e "tsv='$tsv'; out='$out'" "$g"; then echo "drawn: $g -> $out/"; else echo "could not draw $g"; fi
done
