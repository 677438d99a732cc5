"""`trainctl checkpoint diff`: what differs between two, by their headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint.meter import Meter
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.checkpoints.diff import Changed, Difference
    from trainctl.checkpoints.formats.protocol import Scalar, Tensor
    from trainctl.control.comparing import Compared

HELP = """\
Compare two checkpoints: tensors added, removed, reshaped and retyped; step, metrics and other
values side by side. Only headers are read, unless both have the same structure and size: then
equal content is told, too.

Exit code 0: what loads the one can load the other; 1: their tensors differ.

\b
Examples:
  trainctl checkpoint diff out/checkpoint-400 out/checkpoint-800
  trainctl checkpoint diff mine.pt theirs.safetensors
  trainctl checkpoint diff a.pt b.pt --values      which tensors hold other numbers
"""
_SHOWN = 20  # tensors of each kind of change


@click.command("diff", help=HELP)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--values", is_flag=True, help="Read all tensors, and name those that differ.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def diff_command(before: str, after: str, *, values: bool, as_json: bool) -> int:
    from trainctl.control import checkpoints, comparing

    where = checkpoints.ground(stand.folder(), dict(os.environ))
    with Meter("reading both", 0) as meter:
        found = comparing.compare(where, before, after, values=values, pace=meter.add)
    if as_json:
        output.print_json("checkpoint.diff", to_json(found))
    else:
        _print(found, _heads(before, after))
    return 0 if found.difference.is_alike else 1


def _heads(before: str, after: str) -> tuple[str, str]:
    """The two by their last names, where those tell one from the other."""
    short = [os.path.basename(text.rstrip("/")) for text in (before, after)]
    one, other = (before, after) if short[0] == short[1] else short
    return f"A: {one}", f"B: {other}"


def _print(found: Compared, heads: tuple[str, str]) -> None:
    from trainctl.checkpoints.diff import HEAD

    difference = found.difference
    facts = [fact for fact in difference.facts if fact.name in HEAD or not fact.is_equal]
    rows = [
        [fact.name, _told(fact.before), _told(fact.after), "" if fact.is_equal else "differs"]
        for fact in facts[:_SHOWN]
    ]
    output.table(("", *heads, ""), rows)
    if len(facts) > _SHOWN:
        output.line(f"and {len(facts) - _SHOWN} values more that differ (--json)")
    if len(facts) < len(difference.facts):
        output.line(f"{len(difference.facts) - len(facts)} other values are equal (--json)")
    for line in [*_changes(difference), *_content(found)]:
        output.line(neutralise(line))


def _told(value: Scalar) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _changes(difference: Difference) -> Iterator[str]:
    yield from _some("only in A", [_described(tensor) for tensor in difference.removed])
    yield from _some("only in B", [_described(tensor) for tensor in difference.added])
    yield from _some("other shape", [_changed(pair) for pair in difference.reshaped])
    yield from _some("other type", [_changed(pair) for pair in difference.retyped])
    if difference.is_alike:
        same = output.counted(len(difference.common), "tensor")
        yield f"same structure: {same} of the same names, shapes and types"


def _some(what: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{what}: {output.counted(len(lines), 'tensor')}"
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more (--json)"


def _described(tensor: Tensor) -> str:
    return f"{tensor.name}  {_shape(tensor)}"


def _changed(pair: Changed) -> str:
    return f"{pair.before.name}  {_shape(pair.before)} -> {_shape(pair.after)}"


def _shape(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.dtype}"


def _content(found: Compared) -> Iterator[str]:
    if found.is_same:
        yield "same content: every byte is equal"
    elif found.is_same is False and found.difference.is_alike:
        yield "other content"
    if found.differing is not None:
        many = len(found.difference.common) - len(found.incomparable)
        yield f"other values: {len(found.differing)} of {output.counted(many, 'tensor')}"
        yield from (f"  {name}" for name in found.differing[:_SHOWN])
    if found.incomparable:
        count = output.counted(len(found.incomparable), "tensor")
        yield f"{count} cannot be compared: the format does not tell where they lie"


def to_json(found: Compared) -> dict[str, Any]:
    difference = found.difference
    return {
        "alike": difference.is_alike,
        "same_content": found.is_same,
        "added": [tensor._asdict() for tensor in difference.added],
        "removed": [tensor._asdict() for tensor in difference.removed],
        "reshaped": [_pair(pair) for pair in difference.reshaped],
        "retyped": [_pair(pair) for pair in difference.retyped],
        "common": len(difference.common),
        "facts": [fact._asdict() for fact in difference.facts],
        "differing_values": found.differing,
        "incomparable": found.incomparable,
    }


def _pair(pair: Changed) -> dict[str, Any]:
    return {"before": pair.before._asdict(), "after": pair.after._asdict()}
