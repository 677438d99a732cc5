"""Is it whole? Structure first, then every byte, against the manifest or its own checksums."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.formats.protocol import Inspection, Tensor
from trainctl.checkpoints.source import LocalSource
from trainctl.kit import completeness, contents, manifest
from trainctl.kit.checkpoints import Found, step_of
from trainctl.kit.hashing import ChangedError, Damage, Pace
from trainctl.kit.manifest import About, Each, Manifest
from trainctl.kit.stores.together import Shared, together

_THREADS = 4  # more than disks and memory feed
_UNKNOWN = "opaque"  # the format of which nothing is known
_NAMED = 3  # tensors that a finding names; the rest are counted


class Finding(NamedTuple):
    """What is wrong: a sentence. file, tensors and bytes where they are known; end is behind."""

    what: str
    file: str = ""
    tensors: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None


class Verified(NamedTuple):
    """findings: empty means that every byte is as it should be.

    manifest: the one that it was held against, or that was made because it passed without one.
    checked: what it was held against, in the order in which it was. was_rewritten: files have
    other times than when their manifest was made. is_sound: neither its structure nor its own
    checksums find anything wrong. bytes: how many it holds.
    unfiled: why the manifest that was made could not be written; it is whole all the same.
    """

    path: str
    format: str
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    manifest: Manifest | None = None
    was_made: bool = False
    was_rewritten: bool = False
    is_sound: bool = True
    bytes: int = 0
    unfiled: str = ""


def verify(
    path: str,
    manifests: str,
    *,
    deep: bool = False,
    renew: bool = False,
    pace: Pace | None = None,
    about: About | None = None,
) -> Verified:
    """Hold a checkpoint against all that is known of it; one that has no manifest gets one.

    manifests: the folder where they stand. deep: also ask the format's own checksums where a
    manifest has answered. renew: what is there now is meant, so a manifest that it differs from
    is replaced. about: where it comes from, for a manifest that is made.
    pace is told of bytes read, from several threads. Raises OSError where it cannot be read.
    """
    shared = Shared(pace or _unpaced)
    each = _side_by_side(shared)
    size = sum(seen.st_size for seen in contents.stats(path).values())
    known = None if renew else manifest.read(manifests, path)
    with LocalSource(path) as source:
        reader = registry.recognise(source)
        inspection = registry.inspect(source)
        own = _structure(path, inspection)
        wrong = [Finding(what) for what in own]
        if known is not None:
            wrong += located(manifest.check(known, path, shared, each), inspection.tensors)
        if deep or known is None or wrong:  # its own checksums may tell one tensor from another
            own += reader.verify(source)
            wrong += [Finding(what) for what in own]
    made, unfiled = None, ""
    if known is None and not wrong:
        try:
            made = manifest.make(path, about or _about(path, inspection), shared, each)
            unfiled = _file(manifests, made)
        except ChangedError:
            wrong.append(Finding("it was written to while it was read"))
    was_rewritten = known is not None and not manifest.stands(known, path)
    is_known = reader.name != _UNKNOWN
    found, held = tuple(dict.fromkeys(wrong)), _held(known, deep=deep, is_known=is_known)
    was_made = made is not None and not unfiled
    return Verified(
        path, reader.name, found, held, known or made, was_made, was_rewritten, not own, size,
        unfiled,
    )  # fmt: skip


def _file(manifests: str, made: Manifest) -> str:
    """Write it; why it could not be written, which tells nothing of the checkpoint."""
    try:
        manifest.write(manifests, made)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _held(known: Manifest | None, *, deep: bool, is_known: bool) -> tuple[str, ...]:
    if not is_known:
        return () if known is None else ("manifest",)
    if known is None:
        return "structure", "checksums"
    return ("structure", "manifest", "checksums") if deep else ("structure", "manifest")


def _unpaced(_: int) -> None: ...


def _structure(path: str, inspection: Inspection) -> list[str]:
    """What its own headers and directories say, and what a half-written one would show."""
    if inspection.findings:
        return list(inspection.findings)
    seen = contents.stats(path)
    newest = max((one.st_mtime for one in seen.values()), default=0.0)
    size = sum(one.st_size for one in seen.values())
    found = Found(path, step_of(os.path.basename(path)), size, newest, "" not in seen)
    why = completeness.incompleteness(found, writers_alive=False)
    return [why] if why else []


def _side_by_side(shared: Shared) -> Each:
    """`map` in a few threads. An error in one, and Ctrl-C, end the others at their next chunk."""

    def each(work: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        done: dict[int, Any] = {}

        def one(numbered: tuple[int, Any]) -> None:
            done[numbered[0]] = work(numbered[1])

        together(enumerate(things), one, min(_THREADS, os.cpu_count() or 1), shared)
        return [done[number] for number in sorted(done)]

    return each


def _about(path: str, inspection: Inspection) -> About:
    """What a manifest tells of a checkpoint that no run of ours has made."""
    metrics = dict(inspection.metrics)
    if inspection.loss is not None:
        metrics.setdefault("loss", inspection.loss)
    step = inspection.step
    return About(step=step_of(os.path.basename(path)) if step is None else step, metrics=metrics)


def located(damages: Iterable[Damage], tensors: Sequence[Tensor]) -> list[Finding]:
    """Damage to files, told with the tensors whose bytes it touches."""
    return [_located(damage, tensors) for damage in damages]


def _located(damage: Damage, tensors: Sequence[Tensor]) -> Finding:
    touched = tuple(tensor.name for tensor in tensors if _touches(damage, tensor))
    what = f"{damage.file} {damage.what}" if damage.file else f"it {damage.what}"
    if damage.start is not None:
        what += f", in bytes {damage.start} to {damage.end}"
    if touched:
        more = len(touched) - _NAMED
        what += f": {', '.join(touched[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
    return Finding(what, damage.file, touched, damage.start, damage.end)


def _touches(damage: Damage, tensor: Tensor) -> bool:
    """Of a file that is damaged nobody knows where, every tensor may be."""
    if tensor.file != damage.file or tensor.start is None or tensor.end is None:
        return False
    if damage.start is None or damage.end is None:
        return False
    return tensor.start < damage.end and damage.start < tensor.end
