"""The script for fish: one `complete` a fact, on condition that its command is typed."""

from __future__ import annotations

from trainctl.cli.completion.shape import Option, Shape, Values, each

_SCRIPT = """\
# Completion of trainctl for fish, made by: trainctl completion fish
# All words stand here; the program is asked only for the names of runs.

function __trainctl_runs
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' -- $HOME $words[1])
    set -l begun (commandline -ct)
    string match -q -- '-*' $begun; or $program $argv -- $begun 2>/dev/null
end

# Whether these words, and only these, stand before the cursor.
function __trainctl_just
    set -l words (commandline -opc)
    test "$words[2..]" = "$argv"
end

# Whether the cursor is within this command.
function __trainctl_in
    set -l words (commandline -opc)
    set -l last (math 1 + (count $argv))
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end

# Whether the cursor is within this command, and before what it passes on to a program.
function __trainctl_before
    __trainctl_in $argv[1]; or return
    set -l words (commandline -opc)
    set -l takes (string split ' ' -- $argv[2])
    set -l flags (string split ' ' -- $argv[3])
    set -l is_value no
    for word in $words[3..]
        set -l name (string replace -r '=.*' '' -- $word)
        if test $is_value = yes
            set is_value no
        else if contains -- $word $takes
            set is_value yes
        else if not contains -- $name $takes $flags
            return 1
        end
    end
end

complete -c trainctl -f
@FACTS@"""


def script(top: Shape) -> str:
    facts = [fact for shape in each(top) for fact in _facts(shape)]
    return _SCRIPT.replace("@FACTS@", "\n".join(facts))


def _facts(shape: Shape) -> list[str]:
    here = _condition(shape)
    lines = [f"complete -c trainctl -n {here} {_option(option)}" for option in shape.options]
    just = _quoted(" ".join(("__trainctl_just", *shape.path)))
    for below in shape.commands:
        words = f"-a {below.path[-1]} -d {_quoted(below.help)}"
        lines.append(f"complete -c trainctl -n {just} {words}")
    if shape.argument is not None and any(shape.argument):
        lines.append(f"complete -c trainctl -n {here} -k {_values(shape.argument)}")
    if shape.passes:
        after = _quoted(f"__trainctl_in {' '.join(shape.path)}; and not {_before(shape)}")
        lines.append(f"complete -c trainctl -n {after} -F")
    return lines


def _condition(shape: Shape) -> str:
    if shape.passes:
        return _quoted(_before(shape))
    return _quoted(" ".join(("__trainctl_in" if shape.path else "__trainctl_just", *shape.path)))


def _before(shape: Shape) -> str:
    takes = [name for it in shape.options if _takes(it) for name in it.names]
    flags = [name for it in shape.options if not _takes(it) for name in it.names]
    return f'__trainctl_before {" ".join(shape.path)} "{" ".join(takes)}" "{" ".join(flags)}"'


def _takes(option: Option) -> bool:
    return option.values is not None and not option.joined


def _option(option: Option) -> str:
    names = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names]
    value = ""
    if option.values is not None and _takes(option):
        value = f" -r {_values(option.values)}" if any(option.values) else " -x"
    return f"{' '.join(names)}{value} -d {_quoted(option.help)}"


def _values(values: Values) -> str:
    told = [*values.words, *([f"(__trainctl_runs {values.runs})"] if values.runs else [])]
    words = f"-a {_quoted(' '.join(told))}" if told else ""
    return " ".join(it for it in (words, "-F" if values.files else "-f") if it)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
