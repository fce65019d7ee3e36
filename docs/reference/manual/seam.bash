# Completion for bash: source it, or install it where bash-completion looks. It asks the program itself, so that it knows
# every command and option there is.
_seam()
{
    local seam=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local commands

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ]; }; then
        commands=$("$seam" help 2>/dev/null | awk "/^exit codes/ {exit} /^  [a-z]/ {print \$1}")
        mapfile -t COMPREPLY < <(compgen -W "$commands help --version --help" -- "$cur")
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$seam" "$command" --help 2>/dev/null | grep -oE -- '(^| )--?[a-z][a-z-]*')" -- "$cur")
    else
        case $command:$prev in
            lab:lab) mapfile -t COMPREPLY < <(compgen -W "$("$seam" lab </dev/null 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$cur") ;;
            search:--mode | search:-m) mapfile -t COMPREPLY < <(compgen -W 'bm25 vector hybrid' -- "$cur") ;;
            search:--fusion) mapfile -t COMPREPLY < <(compgen -W 'rrf convex' -- "$cur") ;;
            sql:--format) mapfile -t COMPREPLY < <(compgen -W 'table csv tsv jsonl markdown' -- "$cur") ;;
            check:*) mapfile -t COMPREPLY < <(compgen -W 'contracts freshness reconcile recall all' -- "$cur"; compgen -d -- "$cur") ;;
            sink:* | rebuild:*) mapfile -t COMPREPLY < <(compgen -W "$("$seam" sink --list 2>/dev/null)" -- "$cur"; compgen -d -- "$cur") ;;
            *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        esac
    fi
}
complete -o filenames -F _seam seam
