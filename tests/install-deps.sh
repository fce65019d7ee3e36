#!/bin/sh
# Installs Check when it is missing, saying so first; without the right to, says what to run.
set -u
cc=${CC:-cc}
have_check() { printf '#include <check.h>\nint main(void){return 0;}\n' | $cc -x c - -fsyntax-only >/dev/null 2>&1; }
have_check && exit 0
if command -v apt-get >/dev/null 2>&1; then install='apt-get install -y check pkg-config'
elif command -v dnf >/dev/null 2>&1; then install='dnf install -y check-devel pkgconf'
elif command -v pacman >/dev/null 2>&1; then install='pacman -S --noconfirm check pkgconf'
elif command -v apk >/dev/null 2>&1; then install='apk add check-dev pkgconf'
elif command -v brew >/dev/null 2>&1; then install='brew install check pkg-config'
else echo 'Check (libcheck) is missing: install it with your package manager, then run make check again.' >&2; exit 1
fi
case $install in brew*) sudo= ;; *) if [ "$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo='sudo -n '; else
  echo "Check (libcheck) is missing, and installing needs rights this user has not. Run: sudo $install" >&2; exit 1; fi ;; esac
echo "Check (libcheck) is missing; installing it: $sudo$install"
case $install in apt-get*) ${sudo}apt-get update -qq >/dev/null 2>&1 ;; esac
DEBIAN_FRONTEND=noninteractive $sudo$install >/tmp/seam-install.$$ 2>&1 || { tail -n 5 /tmp/seam-install.$$ >&2; echo "could not install Check; run: $install" >&2; exit 1; }
rm -f /tmp/seam-install.$$
have_check || { echo 'Check was installed but check.h is still not found.' >&2; exit 1; }
