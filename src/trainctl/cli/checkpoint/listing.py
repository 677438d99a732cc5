"""`trainctl checkpoint list`: those of a folder, a run or a store; names first."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint import naming
from trainctl.cli.checkpoint.meter import Meter
from trainctl.errors import UsageError
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.checkpoints.looking import Look
    from trainctl.checkpoints.ordering import Metric
    from trainctl.control.catalogue.rows import Listing, Shown
    from trainctl.control.checkpoints import Target

_NEXT = {
    "path": "trainctl checkpoint list --recursive {}",
    "url": "trainctl checkpoint push PATH",
}
SORTS = ("step", "age", "size", "name")
STYLES = ("", "right", "right", "right", "", "right", "", "right", "", "", "")
HELP = """\
List checkpoints: of a folder, of a run, of a store. Left out: of the newest run, or of the
current folder where there is no run yet.

A folder is searched by names, four folders deep; nothing is loaded, no framework is needed.
What a list of a run calls NAME, of step 400, is typed as RUN/NAME or RUN/400.
VERIFIED says whether a manifest stands for every byte: `no` has none yet, `changed` was written
to since; trainctl checkpoint verify tells more.

\b
Examples:
  trainctl checkpoint list                 those of the newest run
  trainctl checkpoint list out/
  trainctl checkpoint list train-7f        those of a run: here, kept and in its store
  trainctl checkpoint list runs/ --recursive --sort age --limit 50
  trainctl checkpoint list out/ --best eval_loss
  trainctl checkpoint list s3://bucket/runs
"""


@click.command("list", help=HELP)
@click.argument("where", metavar="[PATH|RUN|URL]", required=False)
@click.option("--recursive", "-r", is_flag=True, help="However deep a folder lies.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="step",
    show_default=True,
    help="step: the folder that changed last, in it the highest step first; age: the newest.",
)
@click.option(
    "--best",
    metavar="METRIC",
    help="The best by this metric first; METRIC:min or METRIC:max where its name does not tell.",
)
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
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def list_command(where: str | None, **given: Any) -> int:
    from trainctl.control import catalogue, checkpoints
    from trainctl.control.catalogue.rows import Wanted

    ground = checkpoints.ground(stand.folder(), dict(os.environ))
    best = _metric(given["best"]) if given["best"] else None
    limit = None if given["everything"] else given["limit"]
    wanted = Wanted(given["sort"], best, limit, given["recursive"])
    target = checkpoints.resolve(ground, where)
    with Meter("looking", 0, "{:.0f}".format) as meter:
        listing = catalogue.of(ground, target, wanted, time.time(), meter.add)
    if given["as_json"]:
        output.print_json("checkpoint.list", to_json(target, listing))
    else:
        _print(target, listing, best, is_left_out=where is None)
    return 0


def _metric(text: str) -> Metric:
    from trainctl.checkpoints import ordering

    try:
        return ordering.metric(text)
    except ValueError as error:
        raise UsageError(f"--best {error}", hint="--best eval_loss:min") from error


def _print(target: Target, listing: Listing, best: Metric | None, *, is_left_out: bool) -> None:
    if is_left_out:
        output.note(f"checkpoints of {_told(target)}")
    for note in listing.notes:
        output.note(f"trainctl: {neutralise(note)}")
    if not listing.shown:
        _nothing(target)
        return
    metric = best.name.upper() if best else "METRIC"
    heads = ("NAME", "STEP", metric, "SIZE", "VERIFIED", "AGE", "FORMAT", "EPOCH", "PINNED")
    now = time.time()
    places = [naming.Place(shown.name, shown.look.path) for shown in listing.shown]
    named = naming.names(target, places)
    rows = [
        [name, *cells(shown, best, now)[1:]]
        for name, shown in zip(named, listing.shown, strict=True)
    ]
    output.table((*heads, "WHERE", "COMPLETE"), rows, styles=STYLES)
    if listing.total > len(rows):
        output.note(f"{listing.total - len(rows)} more: --limit N or --all")


def _nothing(target: Target) -> None:
    """Of a run, also where it was looked for."""
    output.note(f"no checkpoints in {neutralise(_told(target))}")
    if target.kind != "run":
        output.note(f"  next: {_NEXT[target.kind].format(target.text)}")
        return
    from trainctl.records import job as jobs

    job = jobs.read(target.run)
    folders = [stand.near(os.path.join(job.cwd, one)) for one in job.checkpoint_dirs]
    folders.append(stand.near(target.run.checkpoints))
    output.note(f"  it was looked for in {neutralise(', '.join(dict.fromkeys(folders)))}")
    output.note(f"  next: trainctl show {target.text}")


def _told(target: Target) -> str:
    if target.kind == "run":
        return f"run {target.text}"
    return "the current folder" if target.text == "." else target.text


def cells(shown: Shown, best: Metric | None, now: float) -> list[str]:
    """One line of the table. now: seconds since the epoch."""
    look = shown.look
    facts = look.facts
    return [
        shown.name,
        "-" if facts.step is None else str(facts.step),
        _measure(shown, best),
        output.size(look.size),
        look.verified,
        output.age(now - look.mtime) if look.mtime else "-",
        facts.format or "-",
        "-" if facts.epoch is None else f"{facts.epoch:g}",
        "yes" if look.pinned else "-",
        shown.where,
        f"no: {facts.incomplete}" if facts.incomplete else "yes" if _is_known(look) else "-",
    ]


def _is_known(look: Look) -> bool:
    """Of what somebody else put into a store, names and sizes are all that was asked for."""
    return bool(look.facts.format) or look.verified == "yes"


def _measure(shown: Shown, best: Metric | None) -> str:
    from trainctl.control.catalogue.rows import measured

    facts = shown.look.facts
    if best is not None:
        value = measured(shown.look, best.name)
        return "-" if value is None else f"{value:.4g}"
    if facts.best:
        return f"{facts.best[0]} {float(facts.best[1]):.4g}"
    if facts.loss is not None:
        own = (name for name, value in facts.metrics.items() if value == facts.loss)
        name = "loss" if "loss" in facts.metrics else next(own, "loss")
        return f"{name} {facts.loss:.4g}"
    return next((f"{name} {value:.4g}" for name, value in facts.metrics.items()), "-")


def to_json(target: Target, listing: Listing) -> dict[str, Any]:
    return {
        "of": {"kind": target.kind, "name": target.text},
        "total": listing.total,
        "checkpoints": [_row(shown) for shown in listing.shown],
        "notes": listing.notes,
    }


def _row(shown: Shown) -> dict[str, Any]:
    look = shown.look
    facts = look.facts._asdict()
    best = facts.pop("best")
    why = facts.pop("incomplete")
    told = dict(zip(("name", "value", "mode"), best, strict=True)) if best else None
    return {
        "name": shown.name,
        "path": look.path,
        "where": shown.where,
        **facts,
        "best_metric": told,
        "size": look.size,
        "files": look.files,
        "modified": round(look.mtime, 3),
        "complete": not why if why or _is_known(look) else None,
        "why_incomplete": why or None,
        "verified": look.verified == "yes",
        "changed": look.verified == "changed",
        "pinned": look.pinned,
    }
