#!/bin/sh
# One line that says what was run, when and on what.     usage: run_line.sh COMMAND
set -eu
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
load=$(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)
compiler=$(${CC:-cc} --version | head -1)
echo "\`${1% }\`, $(date +%Y-%m-%d), $(uname -sr), $(getconf _NPROCESSORS_ONLN) processors (${cpu:-$(uname -m)}), $compiler, load average at the end $load."
