"""`trainctl checkpoint info`: what one checkpoint holds, by its headers alone."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Tensor
    from trainctl.control.checkpoints import Target
    from trainctl.control.inspecting import Known

HELP = """\
Show what a checkpoint holds: step, metrics, tensors, what resuming it takes, what loading it
would import. Only headers are read; nothing is unpickled, no framework is needed.
Of a run it is the newest, or RUN/NAME or RUN/STEP; left out, it is that of the newest run.

\b
Examples:
  trainctl checkpoint info                   the newest of the newest run
  trainctl checkpoint info out/last.pt
  trainctl checkpoint info out/checkpoint-400 --tensors
  trainctl checkpoint info s3://bucket/model.safetensors     only headers travel
"""
_ROOM = 32  # lines of the tree of modules
_SCALARS = 12
_NAMED = 6
Fact = tuple[str, str]


@click.command("info", help=HELP)
@click.argument("what", metavar="[PATH|RUN|URL]", required=False)
@click.option("--tensors", is_flag=True, help="Every tensor, instead of the tree of modules.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def info_command(what: str | None, *, tensors: bool, as_json: bool) -> int:
    from trainctl.control import checkpoints, inspecting

    where = checkpoints.ground(stand.folder(), dict(os.environ))
    with inspecting.opened(where, what) as (target, source):
        inspection, resuming = inspecting.inspect(target, source)
        known = inspecting.known(where, target, source)
    if as_json:
        data = to_json(target, inspection, resuming, known, tensors=tensors)
        output.print_json("checkpoint.info", data)
        return 0
    facts = [
        ("checkpoint", output.home_short(target.path)),
        *_facts(inspection),
        *_state(target, inspection, known),
        *_loading(inspection),
        *_resuming(target, resuming, known),
        *_scalars(inspection),
    ]
    for label, text in facts:
        output.line(f"{label:<12} {neutralise(text)}".rstrip())
    for text in _all(inspection) if tensors else _tree(inspection):
        output.line(neutralise(text))
    return 0


def _facts(of: Inspection) -> Iterator[Fact]:
    made_by = f"{of.framework} {of.version}".strip()
    yield "format", of.format + (f", by {made_by}" if made_by and made_by != of.format else "")
    at = [
        "" if of.step is None else f"step {of.step}",
        "" if of.epoch is None else f"epoch {of.epoch:g}",
        "" if of.loss is None else f"loss {of.loss:.4g}",
    ]
    yield "at", " · ".join(filter(None, at)) or "it does not say"
    metrics = {name: value for name, value in of.metrics.items() if name != "loss"}
    if metrics:
        yield "metrics", " · ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    if of.best_metric:
        name, value, mode = of.best_metric
        yield "best", f"{name} {value:.4g}" + (f" ({mode})" if mode else "")
    if of.tensors:
        dtypes = sorted({tensor.dtype for tensor in of.tensors if tensor.part == "model"})
        yield "parameters", f"{counted(of.parameters)} of {', '.join(dtypes) or 'no type'}"
        parts = [f"{name} {output.size(size)}" for name, size in of.bytes_by_part.items()]
        yield "tensors", f"{len(of.tensors)}: {' · '.join(parts)}"
    if of.has_optimizer is not None:
        yield "optimizer", "yes" if of.has_optimizer else "no: weights alone"
    if of.world_size is not None:
        yield "world size", str(of.world_size)


def counted(count: int) -> str:
    """`124.4 M`: parameters, as papers tell them."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return str(count)


def _state(target: Target, of: Inspection, known: Known) -> Iterator[Fact]:
    age = "" if not known.modified else f", {output.age(time.time() - known.modified)} old"
    yield "size", f"{output.size(known.size)} in {output.counted(known.files, 'file')}{age}"
    yield "complete", f"no: {known.incomplete}" if known.incomplete else "yes"
    yield from (("finding", text) for text in of.findings if text != known.incomplete)
    yield "verified", _verified(target, known)
    if known.pinned:
        yield "pinned", "yes: no rule removes it"
    if known.lineage is not None:
        from trainctl.records import lineage

        yield from (("lineage", words) for words in lineage.words(known.lineage))


def _verified(target: Target, known: Known) -> str:
    verify = f"trainctl checkpoint verify {shlex.quote(target.text)}"
    if known.manifest is None:
        return f"not yet: {verify}"
    if not known.stands:
        return f"no: it was written to since; {verify}"
    ago = output.age(time.time() - known.manifest.made)
    return f"yes, {ago} ago: manifest {known.manifest.id[:12]}"


def _loading(of: Inspection) -> Iterator[Fact]:
    strange = foreign(of)
    words = {
        "data only": "data only: loading it runs nothing",
        "malformed": "malformed: a loader may fail, or do what nobody can tell",
        "not looked into": "not looked into: load it only if you trust where it comes from",
    }
    some = f"{', '.join(strange[:_NAMED])}{', ...' if len(strange) > _NAMED else ''}"
    code = f"runs code when loaded{f': {some}' if strange else ''}"
    yield "loading", words.get(str(of.verdict), code)
    if of.imports:
        names = ", ".join(of.imports[:_NAMED])
        more = len(of.imports) - _NAMED
        yield "imports", names + (f" and {more} more (--json)" if more > 0 else "")


def foreign(of: Inspection) -> list[str]:
    """Of what its pickles would import, that which is not known to be data."""
    if not of.imports:
        return []
    from trainctl.checkpoints.reading import allowed

    return allowed.unlisted(of.imports)


def _resuming(target: Target, resuming: Resuming, known: Known) -> Iterator[Fact]:
    yield "resume", command(target, known)
    what = {"either": "file or folder"}.get(resuming.takes, f"the {resuming.takes}")
    how = f"{resuming.how}; it takes {what}"
    yield "", how + ("; with the same world size" if resuming.same_world_size else "")


def command(target: Target, known: Known) -> str:
    """What to type to go on from it."""
    path = shlex.quote(target.text)
    made = known.lineage.made if known.lineage else None
    if made is not None and made.there:
        return f"trainctl resume --from {path} {made.run}"
    return f"trainctl checkpoint resume {path} train.py"


def _scalars(of: Inspection) -> Iterator[Fact]:
    label = "holds"
    known = (None, of.step, of.epoch, of.loss)
    told = [f"{name} = {value}" for name, value in of.scalars.items() if value not in known]
    told.sort(key=lambda text: text.startswith("optimizer"))
    for text in told[:_SCALARS]:
        yield label, text
        label = ""
    if len(told) > _SCALARS:
        yield label, f"and {len(told) - _SCALARS} values more (--json)"


def _tree(of: Inspection) -> Iterator[str]:
    from trainctl.checkpoints import tree

    model = [tensor for tensor in of.tensors if tensor.part == "model"]
    lines = tree.lines(model or of.tensors, _ROOM)
    cells = [_cells(line) for line in lines]
    widths = [max(len(row[at]) for row in cells) for at in range(3)] if cells else []
    for row in cells:
        name, shape, size = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{'modules' if row is cells[0] else '':<12} {name}  {shape}  {size}".rstrip()


def _cells(line: Any) -> tuple[str, str, str]:
    name = "  " * line.level + line.name + (f"  x{line.times}" if line.times > 1 else "")
    shape = _shape(line.tensor) if line.tensor else f"{counted(line.parameters)} parameters"
    return name, shape, output.size(line.bytes)


def _shape(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.dtype}"


def _all(of: Inspection) -> Iterator[str]:
    rows = [(t.name, _shape(t), output.size(t.bytes), t.part) for t in of.tensors]
    widths = [max(len(row[at]) for row in rows) for at in range(4)] if rows else []
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def to_json(
    target: Target, of: Inspection, resuming: Resuming, known: Known, *, tensors: bool
) -> dict[str, Any]:
    told = {name: value for name, value in of._asdict().items() if name != "tensors"}
    made = known.lineage.made if known.lineage else None
    best = (
        dict(zip(("name", "value", "mode"), of.best_metric, strict=True))
        if of.best_metric
        else None
    )
    data = {
        "path": target.path,
        **told,
        "best_metric": best,
        "foreign": foreign(of),
        "parameters": of.parameters,
        "tensor_count": len(of.tensors),
        "bytes_by_part": of.bytes_by_part,
        "size": known.size,
        "files": known.files,
        "modified": known.modified,
        "complete": not known.incomplete,
        "why_incomplete": known.incomplete or None,
        "manifest": known.manifest.id if known.manifest else None,
        "verified": known.stands,
        "pinned": known.pinned,
        "run": made.run if made else None,
        "attempt": made.attempt if made else None,
        "heirs": [heir._asdict() for heir in known.lineage.heirs] if known.lineage else [],
        "resuming": {**resuming._asdict(), "command": command(target, known)},
    }
    if tensors:
        data["tensors"] = [tensor._asdict() for tensor in of.tensors]
    return data
