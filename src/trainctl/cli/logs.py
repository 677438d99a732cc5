"""`trainctl logs`: a run's output, made readable, or byte for byte."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.errors import NotFoundError

if TYPE_CHECKING:
    from trainctl.control.wiring import Here
    from trainctl.kit.names import AttemptFolder, RunFolder
    from trainctl.records.record import Record
    from trainctl.telemetry.follow import Break

HELP = """\
Print a run's output: progress bars as one line, control sequences made visible.

\b
Examples:
  trainctl logs -f                   follow the newest run until it ends
  trainctl logs train-7f --tail 50
  trainctl logs --grep 'loss=' --since 10m
  trainctl logs --raw > log.bin      the exact bytes
"""
_CHECK_SECONDS = 0.25


@click.command("logs", help=HELP)
@click.argument("run", required=False)
@click.option(
    "-f",
    "--follow",
    "following",
    is_flag=True,
    help="Go on until the run ends; Ctrl-C leaves it running.",
)
@click.option("-n", "--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--since", metavar="10m", help="Only what came since; a duration or a time.")
@click.option("--grep", "pattern", metavar="REGEX", help="Only lines in which this is found.")
@click.option("--raw", is_flag=True, help="The exact bytes.")
@click.option("--rank", metavar="N", help="The output of one worker of --nproc.")
@click.option(
    "--attempt",
    "number",
    type=click.IntRange(1),
    metavar="N",
    help="Of this attempt; else the newest.",
)
@click.option("--path", "only_path", is_flag=True, help="Print where the log lies.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One envelope with the lines; with -f a JSON line each.",
)
def logs_command(run: str | None, **given: Any) -> int:
    from trainctl.control import lookup

    here = stand.here()
    folder = lookup.find(here, run)
    found = lookup.refresh(here, folder)
    number = given["number"] or (found.attempts[-1].number if found.attempts else 1)
    attempt = folder.attempt(number)
    path = attempt.log if given["rank"] is None else rank_log(attempt, given["rank"])
    if given["only_path"]:
        output.line(path)
        return 0
    if not os.path.exists(path):
        _refuse_absent(found, number, waits=given["following"] and found.living)
    offset = _offset(here, path, attempt, given)
    try:
        _show(here, folder, number, path, offset, given)
        while given["following"] and not given["number"] and given["rank"] is None:
            following = _next_attempt(here, folder, number)
            if following is None:
                break
            number = following
            output.note(f"trainctl: attempt {number}")
            _show(here, folder, number, folder.attempt(number).log, 0, given)
    except KeyboardInterrupt:
        goes_on = lookup.refresh(here, folder).living
        stop = f"goes on; stop it with: trainctl stop {folder.name}"
        output.note(f"\ntrainctl: {folder.name} {stop if goes_on else 'has ended'}")
    return 0


def _refuse_absent(found: Record, number: int, *, waits: bool) -> None:
    there = [str(attempt.number) for attempt in found.attempts]
    if str(number) not in there and there:
        raise NotFoundError(
            f"{found.name} has no attempt {number}", hint=f"it has {', '.join(there)}"
        )
    if waits:
        return
    why = "it has not started" if found.living else found.evidence
    raise NotFoundError(
        f"{found.name} has no log of attempt {number}: {why}", hint=f"trainctl show {found.name}"
    )


def _show(
    here: Here,
    folder: RunFolder,
    number: int,
    path: str,
    offset: int,
    given: dict[str, Any],
) -> None:
    from trainctl.telemetry.follow import copy_follow

    attempt = folder.attempt(number)
    done = _until(here, folder, number) if given["following"] else _at_once
    if given["raw"]:
        copy_follow(path, offset, 1, done, here.clock, announce=_announce, also=[attempt.exit])
    else:
        _print(here, path, offset, done, attempt, given)


def _at_once() -> bool:
    return True


def _next_attempt(here: Here, folder: RunFolder, number: int) -> int | None:
    """The attempt after this one, once it is there; None when none will come by itself."""
    from trainctl.control import lookup

    while True:
        found = lookup.refresh(here, folder)
        later = [attempt.number for attempt in found.attempts if attempt.number > number]
        if later:
            return later[0]
        if not found.living:
            return None
        here.clock.sleep(_CHECK_SECONDS)


def _offset(here: Here, path: str, attempt: AttemptFolder, given: dict[str, Any]) -> int:
    from trainctl import config
    from trainctl.telemetry import slice as slices

    offsets = [0]
    if given["since"]:
        at = slices.moment(given["since"], here.clock.now(), config.duration)
        offsets.append(slices.since(path, attempt.system, at))
    if given["tail"] is not None and not given["pattern"]:
        offsets.append(slices.tail(path, given["tail"]))
    return max(offsets)


def _until(here: Here, folder: RunFolder, number: int) -> Callable[[], bool]:
    """Whether the attempt has ended; looked at a few times a second, not at every line."""
    from trainctl.records import record

    looked = 0.0

    def done() -> bool:
        nonlocal looked
        now = here.clock.monotonic()
        if now - looked < _CHECK_SECONDS:
            return False
        looked = now
        if os.path.exists(folder.attempt(number).exit) or not os.path.isdir(folder.path):
            return True
        return number in folder.attempts() and not record.read(folder).living

    return done


def _print(
    here: Here,
    path: str,
    offset: int,
    done: Callable[[], bool],
    attempt: AttemptFolder,
    given: dict[str, Any],
) -> None:
    from trainctl.telemetry import slice as slices
    from trainctl.telemetry.follow import follow
    from trainctl.telemetry.render import Renderer, rendered

    chunks = follow(path, offset, done, here.clock, also=[attempt.exit], announce=_announce)
    renderer = Renderer(colour=output.has_colour())
    lines: Iterable[str] = (
        text for batch in rendered(chunks, renderer, here.clock) for text in batch
    )
    if given["pattern"]:
        lines = slices.grep(lines, given["pattern"])
        if given["tail"] is not None and not given["following"]:
            lines = list(lines)[-given["tail"] :] if given["tail"] else []
    if not given["as_json"]:
        for text in lines:
            output.line(text)
    elif given["following"]:
        for text in lines:
            output.json_line("run.log", text)
    else:
        output.print_json("run.logs", {"path": path, "lines": list(lines)})


def _announce(what: Break) -> None:
    output.note(f"trainctl: the log was {what}")


def rank_log(attempt: AttemptFolder, rank: str) -> str:
    """The file of one worker, as torchrun lays them out: */attempt_0/RANK/stdout.log."""
    there = sorted(_rank_logs(attempt))
    for found, path in there:
        if found == rank:
            return path
    ranks = ", ".join(dict.fromkeys(found for found, _ in there)) or "none"
    raise NotFoundError(
        f"there is no log of rank {rank!r}; there are: {ranks}",
        hint="runs that were started with --nproc have one for each rank",
    )


def _rank_logs(attempt: AttemptFolder) -> Iterator[tuple[str, str]]:
    for parent, _, names in os.walk(attempt.ranks):
        rank = os.path.basename(parent)
        if "stdout.log" in names and re.fullmatch(r"\d+", rank):
            yield rank, os.path.join(parent, "stdout.log")
