"""What may stand where on the command line, read from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

import click

from trainctl.config import KEYS
from trainctl.records.state import LIVING, Reason, State

_RUNS = "list -q -n 100"  # newest first, of those whose name or command holds what was typed
_CHECKPOINTS = {"CKPT", "A", "B"}  # a path, or a run's newest
_LIVING = " ".join([_RUNS, *(f"--state {state}" for state in sorted(LIVING))])


class Values(NamedTuple):
    """What may stand in a place. runs: the command of ours that prints the names of runs."""

    words: tuple[str, ...] = ()
    runs: str = ""
    files: bool = False


class Option(NamedTuple):
    """values: None for a flag. joined: a value is optional, and only joined by `=`."""

    names: tuple[str, ...]
    help: str
    values: Values | None
    joined: bool = False
    repeats: bool = False


class Shape(NamedTuple):
    """One command. path: its words, () for the whole program.

    passes: its first argument ends our options; what follows belongs to a program of the user's.
    """

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    argument: Values | None
    repeats: bool
    passes: bool
    commands: tuple[Shape, ...] = ()


def shapes(root: click.Context) -> Shape:
    """The whole command line. root: the context of the program itself."""
    from trainctl.cli.table import BY_NAME

    top = _shape(root.command, root, ())
    told = [shape._replace(help=BY_NAME[shape.path[0]].help) for shape in top.commands]
    return top._replace(commands=tuple(told))


def each(shape: Shape) -> Iterator[Shape]:
    """This shape and all below it."""
    yield shape
    for below in shape.commands:
        yield from each(below)


def _shape(command: click.Command, context: click.Context, path: tuple[str, ...]) -> Shape:
    below = tuple(_below(command, context, path)) if isinstance(command, click.Group) else ()
    usage = "" if below else " ".join(command.collect_usage_pieces(context)[1:])
    place = usage.partition(" ")[0]  # of the first argument: `[RUN]...`, `CMD`
    options = [it for it in command.get_params(context) if isinstance(it, click.Option)]
    return Shape(
        path=path,
        help=command.get_short_help_str(100),
        options=tuple(_option(option, path) for option in options),
        argument=_values(place, path) if place else None,
        repeats=place.endswith("..."),
        passes=usage.endswith(" [ARGS]..."),
        commands=below,
    )


def _below(group: click.Group, context: click.Context, path: tuple[str, ...]) -> Iterator[Shape]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            inside = click.Context(command, parent=context, info_name=name)
            yield _shape(command, inside, (*path, name))


def _option(option: click.Option, path: tuple[str, ...]) -> Option:
    place = option.metavar or str(option.name).upper()
    if isinstance(option.type, click.Choice):
        place = "|".join(map(str, cast("click.Choice[str]", option.type).choices))
    return Option(
        names=(*option.opts, *option.secondary_opts),
        help=(option.help or "").rstrip("."),
        values=None if option.is_flag or option.count else _values(place, path),
        joined=place.startswith("[="),
        repeats=option.multiple,
    )


def _values(place: str, path: tuple[str, ...]) -> Values:
    """By the placeholder that help shows: RUN, FILE, `auto|never|PATH`."""
    names = set(re.findall(r"[A-Z]+", place))
    words = re.findall(r"\b[a-z]{2,}\b", place) if "|" in place else []
    if "STATE" in names:
        words = sorted({*map(str, State), *map(str, Reason)})
    if "KEY" in names:
        words = [key.name for key in KEYS]
    wants_run = bool(names & {"RUN", "RUNS", *_CHECKPOINTS})
    return Values(
        words=tuple(words),
        runs=(_LIVING if path == ("stop",) else _RUNS) if wants_run else "",
        files=bool(names & {"CMD", "DEST", "DIR", "FILE", "PATH", "STORE", *_CHECKPOINTS}),
    )
