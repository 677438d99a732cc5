"""The script for zsh: one function a command, for `_arguments`."""

from __future__ import annotations

import re

from trainctl.cli.completion.shape import Option, Shape, Values, each

_SCRIPT = """\
#compdef trainctl
# Completion of trainctl for zsh, made by: trainctl completion zsh
# All words stand here; the program is asked only for the names of runs.

_trainctl_runs() {
    local -a found
    found=(${(f)"$(${~program} ${=1} -- "$PREFIX" 2>/dev/null)"})
    compadd -V runs -a found
}

@FUNCTIONS@

_trainctl_main() {
    local program=$words[1]
    _trainctl "$@"
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _trainctl_main "$@"
else
    compdef _trainctl_main trainctl
fi"""

_GROUP = """\
@NAME@() {
    local curcontext=$curcontext context state state_descr line
    local -A opt_args
    local -a commands=(
@COMMANDS@
    )
    _arguments -C -S \\
@SPECS@ \\
        '(-)1: :->command' '*:: :->argument' && return
    case $state in
    command) _describe -t commands 'trainctl command' commands ;;
    argument)
        (( $+functions[@NAME@_$words[1]] )) && @NAME@_$words[1]
        ;;
    esac
}"""

_COMMAND = """\
@NAME@() {
    _arguments -S \\
@SPECS@
}"""


def script(top: Shape) -> str:
    return _SCRIPT.replace("@FUNCTIONS@", "\n\n".join(_function(shape) for shape in each(top)))


def _function(shape: Shape) -> str:
    specs = [spec for option in shape.options for spec in _specs(option)]
    if shape.commands:
        told = [_quoted(f"{below.path[-1]}:{below.help}") for below in shape.commands]
        text = _GROUP.replace("@COMMANDS@", "\n".join(f"        {it}" for it in told))
    else:
        text = _COMMAND
        specs += _argument(shape)
    name = "_".join(("_trainctl", *shape.path))
    return text.replace("@NAME@", name).replace(
        "@SPECS@", " \\\n".join(f"        {_quoted(spec)}" for spec in specs)
    )


def _specs(option: Option) -> list[str]:
    """One for each name; a second use, or the other name, is offered only where it may repeat."""
    begin = "*" if option.repeats else f"({' '.join(option.names)})"
    return [
        f"{begin}{name}{_joint(name, option)}[{_plain(option.help)}]{_value(option)}"
        for name in option.names
    ]


def _joint(name: str, option: Option) -> str:
    """How a value follows: `=-` joined only, `=` joined or apart, `+` the same of a short name."""
    if option.values is None:
        return ""
    if option.joined:
        return "=-"
    return "=" if name.startswith("--") else "+"


def _value(option: Option) -> str:
    if option.values is None:
        return ""
    return f"{'::' if option.joined else ':'}value:{_action(option.values)}"


def _argument(shape: Shape) -> list[str]:
    if shape.argument is None or not any(shape.argument):
        return []  # a message about it would keep options from being completed
    action = _action(shape.argument)
    if shape.passes:
        return [f"(-)1:argument:{action}", "*:argument:_files"]
    return [f"{'*' if shape.repeats else '1'}:argument:{action}"]


def _action(values: Values) -> str:
    words = f"compadd -- {' '.join(values.words)}" if values.words else ""
    runs = f'_trainctl_runs "{values.runs}"' if values.runs else ""
    files = "_files" if values.files else ""
    told = "; ".join(it for it in (words, runs, files) if it)
    return f"{{{told}}}" if told else " "


def _plain(text: str) -> str:
    """Inside `[...]` of a specification."""
    return re.sub(r"([\[\]\\:])", r"\\\1", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
