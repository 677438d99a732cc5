"""The script for bash, from 3.2 (macOS) on: no associative arrays, and only builtins at a TAB."""

from __future__ import annotations

from trainctl.cli.completion.shape import Option, Shape, Values, each

_SCRIPT = """\
# Completion of trainctl for bash, made by: trainctl completion bash
# All words stand here; the program is asked only for the names of runs.

_trainctl_command() {
    options= takes= passes= group= values= runs= files=
    case $1 in
@COMMANDS@
    *) return 1 ;;
    esac
}

_trainctl_option() {
    values= runs= files=
    case "$1 $2" in
@OPTIONS@
    esac
}

_trainctl_offer() {
    local name IFS=$' \\t\\n'
    COMPREPLY=($(compgen -W "$values" -- "$cur"))
    if [[ -n $runs ]]; then
        while IFS= read -r name; do
            [[ -n $name && $name == "$cur"* ]] || continue
            printf -v name %q "$name"
            COMPREPLY+=("$name")
        done <<<"$("${COMP_WORDS[0]/#\\~/$HOME}" $runs -- "$cur" 2>/dev/null)"
    fi
    if [[ -n $files && ${#COMPREPLY[@]} -eq 0 ]]; then
        compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$cur"))
    fi
}

_trainctl_rest() {
    values= runs= files=yes
    _trainctl_offer
}

_trainctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} command= option= last= word at
    local options takes passes group values runs files
    COMPREPLY=()
    _trainctl_command ""
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $word == = ]]; then
            option=$last # --name=value comes as three words
        elif [[ -n $option ]]; then
            option=
        elif [[ -n $passes && $options != *" $word "* ]]; then
            _trainctl_rest
            return
        elif [[ $word == -* ]]; then
            [[ $takes == *" $word "* ]] && option=$word
        elif [[ -n $group ]]; then
            command=${command:+$command }$word
            _trainctl_command "$command" || return
        fi
        last=$word
    done
    if [[ $cur == = ]]; then
        option=$last cur=
    fi
    if [[ -n $option ]]; then
        _trainctl_option "$command" "$option"
    elif [[ $cur == -* ]]; then
        values=$options runs= files=
    fi
    _trainctl_offer
}

complete -F _trainctl trainctl"""


def script(top: Shape) -> str:
    commands = [_command(shape) for shape in each(top)]
    options = [
        f"    {_either(shape, option)}) {_assigned(option.values)} ;;"
        for shape in each(top)
        for option in shape.options
        if option.values is not None and any(option.values)
    ]
    text = _SCRIPT.replace("@COMMANDS@", "\n".join(commands))
    return text.replace("@OPTIONS@", "\n".join(options))


def _command(shape: Shape) -> str:
    names = [name for option in shape.options for name in option.names]
    takes = [name for option in shape.options if _takes(option) for name in option.names]
    values = shape.argument or Values(words=tuple(below.path[-1] for below in shape.commands))
    facts = [
        f'options=" {" ".join(names)} "',
        f'takes=" {" ".join(takes)} "' if takes else "",
        "passes=yes" if shape.passes else "",
        "group=yes" if shape.commands else "",
        _assigned(values),
    ]
    told = "\n        ".join(fact for fact in facts if fact)
    return f'    "{" ".join(shape.path)}")\n        {told}\n        ;;'


def _takes(option: Option) -> bool:
    return option.values is not None and not option.joined


def _either(shape: Shape, option: Option) -> str:
    return " | ".join(f'"{" ".join((*shape.path, name))}"' for name in option.names)


def _assigned(values: Values | None) -> str:
    """Shell assignments; every word is ours, and needs no quoting beyond the quotes."""
    words, runs, files = values or Values()
    told = [f'values="{" ".join(words)}"' if words else "", f'runs="{runs}"' if runs else ""]
    return " ".join(it for it in [*told, "files=yes" if files else ""] if it)
