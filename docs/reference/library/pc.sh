#!/bin/sh
# pc.sh OUT PREFIX LIBDIR INCLUDEDIR VERSION STORE...: what pkg-config reads, into OUT/seam.pc and OUT/seam-STORE.pc.
set -eu
out=$1 prefix=$2 libdir=$3 includedir=$4 version=$5
shift 5
pc() { # NAME DESCRIPTION LIBS PRIVATE
  cat >"$out/$1.pc" <<PC
prefix=$prefix
libdir=$libdir
includedir=$includedir

Name: $1
Description: $2
Version: $version
Cflags: -I\${includedir}/seam -pthread
Libs: -L\${libdir} $3
Libs.private: $4
PC
}
pc seam "five stores in C: row store, log, column store, word index, vector graph" '-lseam -pthread' '-lm'
# A store alone is an archive only, so what it needs is needed by everybody.
for s in "$@"; do pc "seam-$s" "the store $s/ of seam, alone" "-lseam-$s -pthread -lm" ''; done
