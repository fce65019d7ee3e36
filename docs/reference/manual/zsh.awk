# The commands and their options, as `seam COMMAND --help` prints them one after another, as a completion for zsh.
function quote(s) { gsub(/'/, "'\\''", s); gsub(/\[/, "\\[", s); gsub(/\]/, "\\]", s); gsub(/:/, "\\:", s); return s }
function value(word) {
  if (word == "") return ""
  if (word ~ /^(FILE|FOLDER|PREFIX|PATH)/) return ":" word ":_files"
  return ":" quote(word) ": "
}
# What each word of the usage may be: a platform's folder, a file, or one of the names the program knows.
function places(    i, n, w, at, out, kind) {
  n = split(usage, w, " "); at = 0; out = ""
  for (i = 1; i <= n; i++) {
    kind = w[i]; gsub(/[][.]/, "", kind)
    if (kind == "options" || kind == "") continue
    at++
    if (kind == "DIR" || kind == "NEW") kind = kind ":_directories"
    else if (kind ~ /FILE/) kind = kind ":_files"
    else if (kind == "LAB") kind = "LAB:(" labs ")"
    else if (kind == "SINK" || (command == "sink" && kind == "NAME")) kind = kind ":(" sinks ")"
    else if (command == "check" && kind == "WHAT") kind = "WHAT:(contracts freshness reconcile recall all)"
    else kind = kind ": "
    out = out " \\\n        '" at ":" kind "'"
  }
  return out
}
function finish() {
  if (command == "") return
  names = names "    '" command ":" quote(summary) "'\n"
  bodies = bodies "    " command ")\n      _arguments -s" options places() " ;;\n"
}
/^usage: seam / {
  finish()
  command = $3; usage = $0; sub(/^usage: seam [a-z]+ /, "", usage); options = ""; summary = ""; on = 0; next
}
/^options:/ { on = 1; next }
!on && summary == "" && NF > 0 { summary = $0; next }
on && /--/ {
  short = $1 ~ /^-[a-zA-Z],$/ ? substr($1, 1, 2) : ""
  match($0, /--[a-z][a-z0-9-]*/); long = substr($0, RSTART, RLENGTH)
  rest = substr($0, RSTART + RLENGTH); arg = ""
  if (match(rest, /^ [^ ]+/)) arg = substr(rest, 2, RLENGTH - 1)
  sub(/^ ?[^ ]* */, "", rest)
  options = options " \\\n        " (short != "" ? "'(" short " " long ")'{" short "," long "}" : long) "'[" quote(rest) "]" value(arg) "'"
}
END {
  finish()
  printf "#compdef seam\n# Made by docs/reference/manual/generate.sh from the program's own help. Put it where $fpath looks.\n\n_seam() {\n"
  printf "  local context state state_descr line\n  typeset -A opt_args\n  local -a commands=(\n%s    'help:a command'\\''s own help'\n  )\n\n", names
  printf "  _arguments -C '--version[the version]' '--help[the commands]' '1:command:->command' '*::argument:->argument'\n"
  printf "  case $state in\n  command) _describe -t commands command commands ;;\n  argument)\n    case $words[1] in\n"
  printf "    help) _arguments '1:command:->command'; _describe -t commands command commands ;;\n%s    esac ;;\n  esac\n}\n\n", bodies
  print "_seam \"$@\""
}
