# Completion of sidetail for fish; installed as share/fish/vendor_completions.d/sidetail.fish.
# Commands and options are those that the program's own help names, so they are never behind.

function __sidetail_commands
    sidetail --help 2>/dev/null | string match -rg '^(?:usage:|      ) sidetail ([a-z]+) .*?  +(.*)$' | paste -d \t - -
end

# The options of the command that stands in the line, each with what its help says of it.
function __sidetail_options
    set -l words (commandline -opc)
    set -q words[2]; or return
    for line in (sidetail $words[2] --help 2>/dev/null)
        set -l parts (string match -rg '^ +(?:-\w, )?(--[a-z][a-z-]*)\S*(?: [A-Z]\S*)?  +(.*)$' -- $line)
        and printf '%s\t%s\n' $parts[1] $parts[2]
    end
end

function __sidetail_containers
    docker ps -a --format '{{.Names}}\n{{.Label "com.docker.compose.service"}}\n{{.Label "com.docker.swarm.service.name"}}' 2>/dev/null | string match -r '.+' | sort -u
end

function __sidetail_projects
    docker ps -a --format '{{.Label "com.docker.compose.project"}}\n{{.Label "com.docker.stack.namespace"}}' 2>/dev/null | string match -r '.+' | sort -u
end

complete -c sidetail -f
complete -c sidetail -n __fish_use_subcommand -a '(__sidetail_commands)'
complete -c sidetail -n __fish_use_subcommand -l help -s h -d help
complete -c sidetail -n __fish_use_subcommand -l version -s V -d version
complete -c sidetail -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -a '(__sidetail_options)'
complete -c sidetail -n 'not __fish_use_subcommand' -s c -l config -r -F -d configuration
complete -c sidetail -n '__fish_seen_subcommand_from tail' -a '(__sidetail_containers)'
complete -c sidetail -n '__fish_seen_subcommand_from tail' -s p -l project -x -a '(__sidetail_projects)'
complete -c sidetail -n '__fish_seen_subcommand_from tail' -s L -l level -x -a 'trace debug info warn error fatal'
complete -c sidetail -n '__fish_seen_subcommand_from tail' -s S -l stream -x -a 'stdout stderr'
complete -c sidetail -n '__fish_seen_subcommand_from tail' -l color -x -a 'auto always never'
complete -c sidetail -n '__fish_seen_subcommand_from try' -s f -l format -x -a 'plain json-file cri'
complete -c sidetail -n '__fish_seen_subcommand_from try' -s e -l expect -r -F -d 'what is expected'
