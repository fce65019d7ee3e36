# What zsh offers after a line: zsh -f zsh_complete.zsh FOLDER-OF-_seam 'seam st'. A shell of its own in a terminal of its
# own, with its real completion system; the offers are caught where it would list them.
emulate -R zsh
zmodload zsh/zpty || exit 77
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; compdef _seam seam"
zpty -w shell 'compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a offers; builtin compadd -A offers "$@"; print -rl -- OFFER\ ${^offers}; }
  zle -C offer complete-word _offer; _offer() { _main_complete; }; bindkey "^I" offer; print READY'
zpty -r -m shell text '*READY*READY*' || exit 1
zpty -w -n shell "$2"$'\t'
sleep 0.3
zpty -w -n shell $'\C-u'
zpty -w shell 'print DO''NE'
zpty -r -m shell text '*DONE*' || exit 1
print -r -- "$text" | sed -n 's/\r$//; s/^.*OFFER //p' | sort -u
zpty -d shell
