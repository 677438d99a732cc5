"""`trainctl checkpoint prune`: remove what no rule keeps, and say first what that is."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint import naming
from trainctl.errors import TrainctlError, UsageError
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.control.checkpoints import Ground, Target
    from trainctl.control.pruning import Judged, Outcome, Plan
    from trainctl.kit.retention import Policy

HELP = """\
Remove checkpoints that no rule keeps. Without --yes it only says what would go, and why the rest
stays. Several rules keep what any of them keeps; without options, your settings' rules hold.

Never removed: what is pinned, in use, younger than an hour, among the last two verified, or the
newest before the loss became NaN; what is not whole, and what its script overwrites, such as
last.pt. Of a folder, each folder below is judged
by itself; of a run, what it wrote here; of a store, each run.

\b
Examples:
  trainctl checkpoint prune out/ --keep-last 3
  trainctl checkpoint prune train-7f --keep-last 2 --keep-best 1:val_loss:min --yes
  trainctl checkpoint prune runs/ --keep-every 10000 --max-size 200GB
  trainctl checkpoint prune s3://bucket/checkpoints --keep-last 5
"""
_RULES = ("keep_last", "keep_best", "keep_every", "max_size")


@click.command("prune", help=HELP)
@click.argument("where", metavar="[PATH|RUN|URL]", required=False)
@click.option("--keep-last", type=int, metavar="N", help="Keep the last N.")
@click.option(
    "--keep-best", metavar="N:METRIC:min|max", help="Keep the N with the best value of a metric."
)
@click.option("--keep-every", type=int, metavar="STEPS", help="Keep those of every STEPS steps.")
@click.option("--max-size", metavar="200GB", help="Then remove the oldest until the rest fits.")
@click.option("-y", "--yes", is_flag=True, help="Remove them.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def prune_command(where: str | None, *, yes: bool, as_json: bool, **rules: Any) -> int:
    from trainctl.control import checkpoints, pruning

    ground = checkpoints.ground(stand.folder(), dict(os.environ))
    target = checkpoints.resolve(ground, where)
    planned = pruning.plan(ground, target, _policy(ground, rules, where))
    if not as_json:
        _print(target, planned)
    done = pruning.carry_out(planned, lambda _: None) if yes else []
    failed = [one for one in done if one.why and not one.is_held]
    if as_json:
        output.print_json("checkpoint.prune", to_json(planned, done, dry_run=not yes))
    else:
        _conclude(planned, done, dry_run=not yes)
    if failed:
        raise TrainctlError(
            f"{len(failed)} could not be removed; the first: {failed[0].judged.name}: "
            f"{failed[0].why}",
            hint="see what is there: trainctl checkpoint list",
        )
    return 0


def _policy(ground: Ground, rules: dict[str, Any], where: str | None) -> Policy:
    """The rules of the command line; where it has none, those of the settings."""
    from trainctl.control import keeping
    from trainctl.control.wiring import connect

    settings = connect(ground.cwd, ground.environ).settings
    if any(rules[name] is not None for name in _RULES):
        given = {name: rules[name] for name in _RULES}
        settings = settings._replace(**dict.fromkeys(_RULES)).with_flags(given, ground.cwd)
    policy = keeping.policy_of(settings)
    if policy.says_nothing:
        named = f" {shlex.quote(where)}" if where else ""
        raise UsageError(
            "no rule says what to keep, so nothing would go",
            hint=f"trainctl checkpoint prune{named} --keep-last 3",
        )
    return policy


def _print(target: Target, planned: Plan) -> None:
    if not planned.judged:
        output.note(f"no checkpoints in {neutralise(planned.of)}")
        return
    now = time.time()
    places = [naming.Place(one.name, _path(target, one)) for one in planned.judged]
    named = naming.names(target, places)
    rows = [[name, *_cells(one, now)] for name, one in zip(named, planned.judged, strict=True)]
    heads = ("NAME", "STEP", "SIZE", "AGE", "FATE", "WHY")
    output.table(heads, rows, styles=("", "right", "right", "right", "", ""))


def _path(target: Target, one: Judged) -> str:
    """Of one in a store, whose place is its key there, the whole."""
    root = target.path.rpartition("/runs/")[0] or target.path.rstrip("/").removesuffix("/runs")
    return f"{root}/{one.place}" if target.kind == "url" else one.place


def _cells(one: Judged, now: float) -> list[str]:
    kept = one.kept
    return [
        "-" if kept.step is None else str(kept.step),
        output.size(kept.size),
        output.age(now - kept.made),
        "stays" if one.reasons else "goes",
        "; ".join(one.reasons) or "no rule keeps it",
    ]


def _conclude(planned: Plan, done: list[Outcome], *, dry_run: bool) -> None:
    gone = [one.judged for one in done if not one.why]
    there = planned.doomed if dry_run else gone
    freed = output.size(sum(one.kept.size for one in there))
    many = f"{len(there)} of {output.counted(len(planned.judged), 'checkpoint')}, {freed}"
    if not dry_run:
        output.note(f"trainctl: removed {many}")
        for one in done:
            if one.is_held:
                output.note(
                    f"  {neutralise(one.judged.name)} stays after all: {neutralise(one.why)}"
                )
    elif there:
        output.note(f"trainctl: would remove {many}; nothing was removed")
        output.note("  to do it: the same command with --yes")
    elif planned.judged:
        output.note("trainctl: nothing would go")


def to_json(planned: Plan, done: list[Outcome], *, dry_run: bool) -> dict[str, Any]:
    """What `--json` holds. Sizes in bytes, times in seconds since the epoch."""
    outcomes = {one.judged.place: one.why for one in done}
    return {
        "of": planned.of,
        "dry_run": dry_run,
        "rules": {name: _plain(value) for name, value in planned.policy._asdict().items()},
        "freed_bytes": planned.freed_bytes
        if dry_run
        else sum(one.judged.kept.size for one in done if not one.why),
        "checkpoints": [_row(one, outcomes) for one in planned.judged],
    }


def _plain(rule: Any) -> Any:
    return rule if rule is None or isinstance(rule, int) else str(rule)


def _row(one: Judged, outcomes: dict[str, str]) -> dict[str, Any]:
    kept = one.kept
    return {
        "name": one.name,
        "path": one.place,
        "step": kept.step,
        "attempt": kept.attempt,
        "size": kept.size,
        "modified": round(kept.made, 3),
        "verified": kept.verified,
        "stays": bool(one.reasons),
        "reasons": one.reasons,
        "removed": outcomes.get(one.place) == "",
        "why_not_removed": outcomes.get(one.place) or None,
    }
