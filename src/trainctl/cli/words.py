"""Split command lines that carry a script's arguments: ours stand first, the rest is untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

WAIT_FOR_EVER = "forever"


def split(command: click.Command, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our options, and CMD with its arguments: from the first word that is no option of ours on.

    `-m` begins a CMD too, and so does what follows a bare `--`. `--wait` takes a value only when
    it is joined by `=`, so that `--wait train.py` waits and runs train.py.
    """
    takes_value = options_of(command.params)
    ours: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return ours, list(words[at + 1 :])
        if word == "-m" or not word.startswith("-") or word == "-":
            return ours, list(words[at:])
        at = _take(words, at, takes_value, ours)
    return ours, []


def _take(words: Sequence[str], at: int, takes_value: Mapping[str, bool], ours: list[str]) -> int:
    """Move one option, with its value, to ours; returns where the next word is."""
    word = words[at]
    if word == "--wait":
        ours.append(f"--wait={WAIT_FOR_EVER}")
        return at + 1
    count = 2 if "=" not in word and takes_value.get(word) else 1
    ours.extend(words[at : at + count])
    return at + count


def options_of(parameters: Sequence[click.Parameter]) -> dict[str, bool]:
    """The options among these, each with whether it takes a value."""
    return {
        name: not (parameter.is_flag or parameter.count)
        for parameter in parameters
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


class RunCommand(click.Command):
    """A command whose own options stand before CMD; CMD and its arguments land in `ctx.obj`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, ctx.obj = split(self, args)
        detached = bool({"-d", "--detach"} & set(ours))
        try:
            return super().parse_args(ctx, ours)
        except click.ClickException as error:
            if not detached:
                error.foreground_code = OURS  # type: ignore[attr-defined]
            raise

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "CMD [ARGS]..."]


OURS = 125  # where trainctl itself failed in the foreground: no code of the script's


class Passed(NamedTuple):
    """RUN as it was typed, and arguments for its script. marked: they stood behind a bare `--`."""

    run: str | None
    arguments: list[str]
    marked: bool


def split_passed(
    parameters: Sequence[click.Parameter], words: Sequence[str]
) -> tuple[list[str], Passed]:
    """Our options; then RUN, unless an option that is not ours or a bare `--` comes first."""
    takes_value = options_of(parameters)
    ours: list[str] = []
    at = 0
    while at < len(words) and words[at].partition("=")[0] in takes_value:
        at = _take(words, at, takes_value, ours)
    rest = list(words[at:])
    run = rest.pop(0) if rest and not rest[0].startswith("-") else None
    marked = rest[:1] == ["--"]
    return ours, Passed(run, rest[1:] if marked else rest, marked)


class PassingCommand(click.Command):
    """A command of one RUN whose script's further arguments follow; both land in `ctx.obj`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, ctx.obj = split_passed(self.get_params(ctx), args)
        return super().parse_args(ctx, ours)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "[RUN] [ARGS]..."]
