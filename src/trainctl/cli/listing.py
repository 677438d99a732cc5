"""`trainctl list`: the runs, newest first, from the index, with the living ones looked at anew."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.errors import UsageError
from trainctl.records.rows import SORTS, Row, Wanted
from trainctl.records.state import Reason, State

if TYPE_CHECKING:
    from trainctl.control.wiring import Here

HEADS = ("RUN", "STATE", "AGE", "TIME", "STEP", "CKPTS", "COMMAND")
STYLES = ("", "", "right", "right", "right", "right", "")
HELP = """\
List runs, newest first.

\b
Examples:
  trainctl list                      the newest twenty
  trainctl list --state running      what is alive
  trainctl list --state failed --since 2d
  trainctl list --tag sweep --sort step --all
  trainctl list --watch
"""
_WORDS = sorted({*State, *Reason})
_WATCH_SECONDS = 2.0
_ALPHABETICAL = ("name", "state")


@click.command("list", help=HELP)
@click.argument("text", required=False)
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    help="A state or an end reason; may be repeated.",
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help="Runs with this tag; repeated: with all of them.",
)
@click.option("--since", metavar="2d", help="Started within this time, or since 2026-11-23.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="created",
    show_default=True,
    help="By this, the largest or newest first.",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    default=20,
    show_default=True,
    help="So many at most.",
)
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("--watch", is_flag=True, help="Draw it anew every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def list_command(text: str | None, **given: Any) -> int:
    here = stand.here()
    wanted = _wanted(here, text or "", given)
    if not given["watch"]:
        _print(here, wanted, given)
        return 0
    while True:
        if output.is_terminal():
            room = shutil.get_terminal_size().lines - 3
            wanted = wanted._replace(limit=max(1, min(wanted.limit or room, room)))
            sys.stdout.write("\x1b[H\x1b[2J")
        _print(here, wanted, given)
        here.clock.sleep(_WATCH_SECONDS)


def _wanted(here: Here, text: str, given: dict[str, Any]) -> Wanted:
    words = [word.replace("-", "_") for word in given["states"]]
    for word in words:
        if word not in _WORDS:
            raise UsageError(f"--state {word!r} is none of {', '.join(_WORDS)}", hint=_meant(word))
    since = _moment(here, given["since"]) if given["since"] else 0
    return Wanted(
        states=tuple(word for word in words if word in set(State)),
        reasons=tuple(word for word in words if word in set(Reason)),
        tags=tuple(given["tags"]),
        text=text,
        since=since,
        sort=given["sort"],
        ascending=given["reverse"] != (given["sort"] in _ALPHABETICAL),
        limit=None if given["everything"] else given["limit"],
    )


def _meant(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, _WORDS, 1)
    return f"did you mean {close[0]}?" if close else "trainctl list --state running"


def _moment(here: Here, text: str) -> float:
    from trainctl import config
    from trainctl.telemetry.slice import moment

    return moment(text, here.clock.now(), config.duration)


def _print(here: Here, wanted: Wanted, given: dict[str, Any]) -> None:
    from trainctl.control import lookup

    rows, count = lookup.rows(here, wanted)
    if given["as_json"]:
        output.print_json("run.list", {"total": count, "runs": [to_json(row) for row in rows]})
    elif given["quiet"]:
        for row in rows:
            output.line(row.name)
    else:
        _table(here, rows, count, wanted)


def _table(here: Here, rows: list[Row], count: int, wanted: Wanted) -> None:
    if not rows:
        everything = wanted == Wanted(
            sort=wanted.sort, ascending=wanted.ascending, limit=wanted.limit
        )
        output.note("no runs" if everything else "no such runs")
        output.note(f"  next: {'trainctl run train.py' if everything else 'trainctl list'}")
        return
    now = here.clock.now()
    output.table(HEADS, [cells(row, now) for row in rows], styles=STYLES)
    if count > len(rows):
        output.note(f"{count - len(rows)} more: trainctl list --all")


def cells(row: Row, now: float) -> list[str]:
    """One line of the table. now: seconds since the epoch."""
    going = now - row.going_since if row.going_since and not row.ended else 0.0
    return [
        row.name,
        row.reason if row.state == State.ENDED and row.reason else row.state,
        output.age(now - row.created),
        output.duration(row.trained + going) if row.started else "-",
        "-" if row.step is None else str(row.step),
        str(row.checkpoints),
        row.command,
    ]


def to_json(row: Row) -> dict[str, Any]:
    data = row._asdict()
    data["living"] = bool(row.living)
    data["tags"] = row.tags.split()
    return data
