# The Markdown that docs/reference/formats uses, as a man page: awk -v name=seam-wal -v version=V -f md2man.awk FILE.md
# Headings, paragraphs, lists, fenced code, tables, `code`, **bold** and links; nothing else is there.
function esc(s) {
  gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s)
  return s
}
# `code` and **bold**; a link keeps its text.
function inline(s,    out, at, word) {
  while (match(s, /\[[^]]*\]\([^)]*\)/)) {
    word = substr(s, RSTART, RLENGTH); at = index(word, "](")
    s = substr(s, 1, RSTART - 1) substr(word, 2, at - 2) substr(s, RSTART + RLENGTH)
  }
  out = ""
  while (match(s, /`[^`]+`|\*\*[^*]+\*\*/)) {
    word = substr(s, RSTART, RLENGTH)
    word = substr(word, 1, 1) == "`" ? "\\fB" esc(substr(word, 2, length(word) - 2)) "\\fR" : \
                                       "\\fI" esc(substr(word, 3, length(word) - 4)) "\\fR"
    out = out esc(substr(s, 1, RSTART - 1)) word
    s = substr(s, RSTART + RLENGTH)
  }
  return out esc(s)
}
function line(s) { print (s ~ /^[.']/ ? "\\&" s : s) }
function flush_table(    i, j, n, cells, format) {
  if (rows == 0) return
  n = split(row[1], cells, "\t")
  print ".PP"; print ".TS"; print "allbox;"
  format = ""
  for (j = 1; j <= n; j++) format = format (j > 1 ? " " : "") "lb"
  print format; format = ""
  for (j = 1; j <= n; j++) format = format (j > 1 ? " " : "") "lx"
  print format "."
  for (i = 1; i <= rows; i++) {
    split(row[i], cells, "\t")
    for (j = 1; j <= n; j++) { printf "%sT{\n", (j > 1 ? "\t" : ""); line(inline(cells[j])); printf "T}" }
    print ""
  }
  print ".TE"; print ".PP"
  rows = 0
}
function flush_words() {
  if (words != "") line(inline(words))
  words = ""
}
BEGIN { upper = toupper(name) }
/^```/ {
  flush_words(); flush_table()
  code = !code
  print code ? ".PP\n.RS 2\n.nf" : ".fi\n.RE\n.PP"
  next
}
code { line(esc($0)); next }
/^\|/ {
  flush_words()
  if ($0 ~ /^\|[-| :]+\|$/) next
  s = $0; sub(/^\| */, "", s); sub(/ *\|$/, "", s)
  gsub(/\\\|/, "\001", s); gsub(/ *\| */, "\t", s); gsub(/\001/, "|", s)
  row[++rows] = s; next
}
{ flush_table() }
/^# / {
  title = substr($0, 3)
  print "'\\\" t"
  print ".\\\" Made from docs/reference/formats by docs/reference/manual/generate.sh; change it there instead."
  printf ".TH %s 5 \"\" \"seam %s\" \"File Formats\"\n.ad l\n.SH NAME\n%s \\- ", upper, version, esc(name)
  gsub(/`/, "", title); print esc(title); print ".SH DESCRIPTION"; next
}
/^## / { flush_words(); s = toupper(substr($0, 4)); gsub(/`/, "", s); print ".SH " esc(s); next }
/^###/ { flush_words(); s = $0; sub(/^#+ */, "", s); gsub(/`/, "", s); print ".SS " esc(s); next }
/^ *([-*]|[0-9]+\.) / {
  flush_words()
  mark = $0 ~ /^ *[0-9]/ ? $1 : "\\(bu"
  s = $0; sub(/^ *([-*]|[0-9]+\.) /, "", s)
  print ".IP " mark " 4"; words = s; next
}
/^$/ { flush_words(); print ".PP"; next }
{ s = $0; sub(/^ +/, "", s); words = words == "" ? s : words " " s }
END {
  flush_words(); flush_table()
  print ".SH SEE ALSO\n.BR seam (1),"
  print "\\fBseam dump\\fR \\fIFILE\\fR explains any of these files."
}
