# names.awk - the names that preprocessed C declares at file scope, one a line: KIND FILE NAME. Input: `cc -E -dD`, with
# its line markers; only files that match -v want='REGEX' are listed. Kinds: function, inline (a static one), object, typedef, constant (of an
# enum), macro, tag (of a struct, union or enum, wherever it is mentioned), type (a tag
# where it is defined), and nested (a named or constant-giving type
# inside a struct: in C++ its names would lie in the struct's scope, so no public header has one).
function say(kind, name) { if (!((kind, name) in said)) { said[kind, name] = 1; print kind, file, name } }
function word(t) { return t ~ /^[A-Za-z_]/ }

# A whole declaration: its tokens d[1..n] up to ';' or a function's body.
function declared(    i, j, open, name, kind, local) {
  if (n == 0) return
  j = 0
  for (i = 1; i <= n; i++) {               # without attributes
    if (d[i] == "__attribute__" || d[i] == "__asm__" || d[i] == "_Static_assert") {
      open = 0
      for (i++; i <= n; i++) { if (d[i] == "(") open++; if (d[i] == ")" && --open == 0) break }
      continue
    }
    d[++j] = d[i]
  }
  n = j
  kind = d[1] == "typedef" ? "typedef" : "object"
  local = 0
  for (i = 1; i <= n; i++) if (d[i] == "static") local = 1
  for (i = 1; i <= n && name == ""; i++) {
    if (d[i] == "(" && d[i + 1] == "*") { name = d[i + 2] }
    else if (d[i] == "(" && i > 1 && word(d[i - 1])) { name = d[i - 1]; if (kind == "object") kind = local ? "inline" : "function" }
    else if (d[i] == "=" || d[i] == "[" || (d[i] == "," && kind == "object")) name = d[i - 1]
  }
  if (name == "" && n > 1 && word(d[n]) && d[n - 1] !~ /^(struct|union|enum)$/) name = d[n]
  if (name != "" && name !~ /^(struct|union|enum)$/) say(kind, name)
}

function token(t) {
  if (word(t) && before ~ /^(struct|union|enum)$/) say("tag", t)
  if (depth == 0) {
    if (t == "{") {
      if (before == "\"C\"") { n = 0; return }               # extern "C" {
      depth = 1
      if (word(before) && before2 ~ /^(struct|union|enum)$/) say("type", before)
      body = before == ")" ? "function" : (before == "enum" || before2 == "enum") ? "enum" : "struct"
      if (body == "function") declared()
      constant = body == "enum"
      return
    }
    if (t == "}") { n = 0; return }                          # ... and its end
    if (t == ";") { declared(); n = 0; return }
    d[++n] = t
    return
  }
  if (t == "{") {
    if (body == "struct" && before == "enum") say("nested", "enum")
    if (body == "struct" && word(before) && before2 ~ /^(struct|union|enum)$/) say("nested", before)
    depth++
    return
  }
  if (t == "}") {
    if (--depth == 0 && body == "function") n = 0
    return
  }
  if (body != "enum" || depth != 1) return
  if (t == "(") open_parens++
  if (t == ")") open_parens--
  if (constant && word(t)) { say("constant", t); constant = 0 }
  else if (t == "," && open_parens == 0) constant = 1
}

/^# [0-9]+ "/ { file = $3; gsub(/"/, "", file); sub(/^\.\//, "", file); next }
file !~ want { next }
/^#define/ { name = $2; sub(/\(.*/, "", name); say("macro", name); next }
/^#/ { next }
{
  line = $0
  while (line != "") {
    if (match(line, /^[ \t]+/)) { line = substr(line, RLENGTH + 1); continue }
    if (!match(line, /^"([^"\\]|\\.)*"/) && !match(line, /^'([^'\\]|\\.)*'/) && !match(line, /^[A-Za-z_][A-Za-z0-9_]*/) &&
        !match(line, /^[0-9][A-Za-z0-9_.]*/)) RLENGTH = 1
    t = substr(line, 1, RLENGTH)
    line = substr(line, RLENGTH + 1)
    token(t)
    before2 = before
    before = t
  }
}
