#!/bin/sh
# Writes the manual from what the program says of itself and from docs/reference/formats, so that they cannot differ:
#   sh docs/reference/manual/generate.sh DIR         DIR/seam.1, DIR/_seam (completion for zsh), DIR/seam-FORMAT.5
# seam.bash needs no making: it asks the program.
set -eu
out=$1
seam=${BUILD:-build}/seam
version=$("$seam" --version | awk '{print $2}')
commands=$("$seam" help | awk '/^exit codes/ {exit} /^  [a-z]/ {print $1}')

esc() { sed 's/\\/\\\\/g; s/-/\\-/g; s/^\./\\\&./; s/^'"'"'/\\\&'"'"'/'; }
manual_page() {
  cat <<HEAD
.\\" Made by docs/reference/manual/generate.sh; change the program's own help instead.
.TH SEAM 1 "" "seam $version" "User Commands"
.SH NAME
seam \\- seven stores for one shop, and the seams between them
.SH SYNOPSIS
.B seam
.I COMMAND
[\\fIoptions\\fR] ...
.br
.B seam
.I COMMAND
.B \\-\\-help
.SH DESCRIPTION
A data platform in one program: a row store with its log, a change stream, a columnar warehouse, incremental views, a word
index, a vector graph and an audit of orders. One LSN names one moment in every store: answers end with the LSN they are as
of, and most commands can be asked as of another one. \\fIDIR\\fR is a platform's folder; \\fBseam demo\\fR makes one.
.PP
Answers go to standard output, progress and messages to standard error. Under \\fB\\-\\-json\\fR an answer and an error are one
JSON object each.
HEAD
groups=$("$seam" help | awk '/^exit codes/ {exit} /^[A-Z]/ {print "G " $0} /^  [a-z]/ {print "C " $1}')
echo "$groups" | while read -r kind rest; do
  if [ "$kind" = G ]; then printf '.SH %s\n' "$(echo "$rest" | tr a-z A-Z)"; continue; fi
  "$seam" "$rest" --help | sed -n '1p' | sed 's/^usage: //' | esc | sed 's/^\(.*\)$/.TP\n.B \1/'
  "$seam" "$rest" --help | sed -n '3p' | esc
  "$seam" "$rest" --help | sed '1,/^options:/d' | grep -vE '^  (-q, --quiet|-h, --help|    --json) ' |
    sed 's/^ *//' | awk -F'   *' '{print ".RS\n.TP\n\\fB" $1 "\\fR"; $1 = ""; sub(/^ /, ""); print ($0 == "" ? "." : /^[.]/ ? "\\&" $0 : $0) "\n.RE"}' |
    sed '/^\./!s/-/\\-/g; s/^\(\\fB\)/\1/'
done
cat <<'TAIL'
.SH COMMON OPTIONS
.TP
.B \-\-json
Answer, and fail, as one JSON object.
.TP
.B \-q, \-\-quiet
No progress, no footers.
.TP
.B \-h, \-\-help
The command's own help.
.TP
.B \-\-version
As the first argument: the version.
.SH EXIT STATUS
.TP
.B 0
Fine.
.TP
.B 1
A check failed: drift, or a comparison that differs.
.TP
.B 2
Usage: an option, an argument or input that is wrong.
.TP
.B 3
Not found: a platform, table, row, store or LSN.
.TP
.B 4
Data on disk is damaged; the message names file and offset.
.TP
.B 5
Input or output failed.
.TP
.B 6
Conflict: another process writes, or an expected version differs.
.TP
.B 7
A freshness promise is broken.
.TP
.B 130
Interrupted.
.SH ENVIRONMENT
.TP
.B NO_COLOR
When set and not empty: no colour.
.SH EXAMPLES
.nf
seam demo shop                         the whole story in a fresh folder
seam lab btree                         step through a B+tree, n for next
seam lab btree \-\-keys 5,3,9            ... with keys of your own
seam sql shop "SELECT count(*) FROM silver_orders AS OF LSN 48213"
seam search shop "cordless kettle" \-\-explain
seam check shop all                    is every seam's promise kept?
.fi
.SH SEE ALSO
docs/architecture.md, docs/reference/contracts.md, docs/reference/formats/, docs/labs/
TAIL
}

manual_page >"$out/seam.1"
for c in $commands; do "$seam" "$c" --help; done |
  awk -v labs="$("$seam" lab </dev/null | awk 'NR > 1 {printf "%s%s", (NR > 2 ? " " : ""), $1}')" \
    -v sinks="$("$seam" sink --list | paste -sd ' ' -)" -f docs/reference/manual/zsh.awk >"$out/_seam"
for format in docs/reference/formats/*.md; do
  name=seam-$(basename "$format" .md)
  awk -v name="$name" -v version="$version" -f docs/reference/manual/md2man.awk "$format" >"$out/$name.5"
done
