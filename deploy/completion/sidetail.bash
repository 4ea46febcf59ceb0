# Completion of sidetail for bash; installed as share/bash-completion/completions/sidetail.

_sidetail_containers() {
    docker ps -a --format '{{.Names}}
{{.Label "com.docker.compose.service"}}
{{.Label "com.docker.swarm.service.name"}}' 2>/dev/null | sort -u
}

_sidetail_projects() {
    docker ps -a --format '{{.Label "com.docker.compose.project"}}
{{.Label "com.docker.stack.namespace"}}' 2>/dev/null | sort -u
}

# Long options as the command's own help names them: so they are never behind.
_sidetail_options() {
    sidetail "$1" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u
}

_sidetail() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words= joined=
    COMPREPLY=()
    if [ "$current" = = ] || [ "$previous" = = ]; then # --level=warn is three words
        [ "$current" = = ] && current= || previous=${COMP_WORDS[COMP_CWORD - 2]}
        joined='='
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="run tail check try status top health --help --version"
    else
        case $previous$joined in
        -f | --format*) [ "$command" = try ] && words="plain json-file cri" ;;
        -c | --config* | -e | --expect*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        -L | --level*) words="trace debug info warn error fatal" ;;
        -S | --stream*) words="stdout stderr" ;;
        -t= | --timestamps=) words="local relative utc" ;;
        --color*) words="auto always never" ;;
        -p | --project*) words=$(_sidetail_projects) ;;
        -s | --since* | -u | --until* | -n | --lines* | --tail* | -g | --grep* | -x | --exclude* | -l | --label* | --service* | --container* | --time | --time=) return ;;
        *)
            case $current in
            -*) words=$(_sidetail_options "$command") ;;
            *) [ "$command" = tail ] && words=$(_sidetail_containers) ;;
            esac
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _sidetail sidetail
