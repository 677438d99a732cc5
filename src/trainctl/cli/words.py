"""Split a command line of `run` into our options and the CMD that follows them, untouched."""

from __future__ import annotations

from collections.abc import Sequence

import click

WAIT_FOR_EVER = "forever"


def split(command: click.Command, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our options, and CMD with its arguments: the first word that is neither an option nor its value.

    `-m` begins a CMD too, and so does what follows a bare `--`. `--wait` takes a value only when
    it is joined by `=`, so that `--wait train.py` waits and runs train.py.
    """
    takes_value = {
        name: not (parameter.is_flag or parameter.count)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    ours: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return ours, list(words[at + 1 :])
        if word == "-m" or not word.startswith("-") or word == "-":
            return ours, list(words[at:])
        if word == "--wait":
            ours.append(f"--wait={WAIT_FOR_EVER}")
        elif "=" not in word and takes_value.get(word):
            ours.extend(words[at : at + 2])
            at += 1
        else:
            ours.append(word)
        at += 1
    return ours, []


class RunCommand(click.Command):
    """A command whose own options stand before CMD; CMD and its arguments land in `ctx.obj`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, ctx.obj = split(self, args)
        return super().parse_args(ctx, ours)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "CMD [ARGS]..."]
