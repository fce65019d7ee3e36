# amalgamate.awk - writes the doors (part=header) or the files named on standard input (part=source) as one text; see
# amalgamate.sh. `plan` has lines "rename FILE NAME" and "undef FILE NAME".
function word(t) { return t ~ /^[A-Za-z_]/ }

# The text of a file. Our own includes are replaced by the file they name, or by nothing when that stands above already
# (every header of ours has a guard, so once is enough); in a .c file names are told apart.
function put(path,    line, inner, n, lines, i) {
  while ((getline line < path) > 0) lines[++n] = line
  close(path)
  if (n == 0) { print "amalgamate: cannot read " path > "/dev/stderr"; exit 1 }
  done[path] = 1
  printf "\n/* ======== %s ======== */\n", path
  for (i = 1; i <= n; i++) {
    line = lines[i]
    if (line ~ /^#include "/) {
      inner = line
      sub(/^#include "/, "", inner)
      sub(/".*/, "", inner)
      if (!(inner in done)) put(inner)
      continue
    }
    if (path ~ /\.c$/) print told_apart(path, line)
    else print line
  }
}

# One line with the file's names renamed: not in comments and texts, not behind '.' or '->', and not where a member is
# declared. State over lines: incomment, the nesting of braces and which of them are structs, the tokens before.
function told_apart(path, line,    out, t, rest, follow) {
  out = ""
  if (!(path in busy)) return line
  if (line ~ /^[ \t]*#[ \t]*include/) return line
  while (line != "") {
    if (incomment) {
      if (match(line, /\*\//)) { out = out substr(line, 1, RSTART + 1); line = substr(line, RSTART + 2); incomment = 0; continue }
      return out line
    }
    if (substr(line, 1, 2) == "/*") { incomment = 1; out = out "/*"; line = substr(line, 3); continue }
    if (substr(line, 1, 2) == "//") return out line
    if (match(line, /^[ \t]+/)) { out = out substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1); continue }
    if (substr(line, 1, 2) == "->") { t = "->"; RLENGTH = 2 }
    else if (!match(line, /^"([^"\\]|\\.)*"/) && !match(line, /^'([^'\\]|\\.)*'/) && !match(line, /^[A-Za-z_][A-Za-z0-9_]*/) &&
             !match(line, /^[0-9][A-Za-z0-9_.]*/)) { RLENGTH = 1; t = substr(line, 1, 1) }
    else t = substr(line, 1, RLENGTH)
    line = substr(line, RLENGTH + 1)
    if (t == "{") {
      depth++
      instruct[depth] = before ~ /^(struct|union)$/ || (word(before) && before2 ~ /^(struct|union)$/)
    }
    if (t == "}" && depth > 0) depth--
    if ((path, t) in renamed && before != "." && before != "->") {
      rest = line
      sub(/^[ \t]+/, "", rest)
      follow = substr(rest, 1, 1)
      if (!(depth > 0 && instruct[depth]) || before ~ /^(struct|union|enum)$/ || follow !~ /^[;,:\[)]/)
        { before2 = before; before = t; out = out renamed[path, t]; continue }
    }
    before2 = before
    before = t
    out = out t
  }
  return out
}

BEGIN {
  while (plan != "" && (getline line < plan) > 0) {
    split(line, p, " ")
    stem = p[2]
    gsub(/\.c$/, "", stem)
    gsub(/[^A-Za-z0-9]/, "_", stem)
    if (p[1] == "rename") { renamed[p[2], p[3]] = stem "__" p[3]; busy[p[2]] = 1 }
    else if (p[1] == "undef") undefs[p[2]] = undefs[p[2]] "#undef " p[3] "\n"
  }
  n = split(doors, door, " ")
  for (i = 1; i <= n; i++) {
    if (part == "header" && !(door[i] in done)) put(door[i])
    done[door[i]] = 1
  }
}
part == "source" {
  incomment = depth = 0
  before = before2 = ""
  put($1)
  printf "%s", undefs[$1]
}
