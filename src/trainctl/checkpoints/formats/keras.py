"""Keras: `.keras` archives, `.weights.h5`, the older `.h5`, and what BackupAndRestore leaves.

Source: keras 3.15.1, saving/saving_lib.py and callbacks/backup_and_restore.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainctl.checkpoints.formats import keras_archive
from trainctl.checkpoints.formats.keras_archive import check_members
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Tensor, Verdict
from trainctl.checkpoints.reading import documents, hdf5
from trainctl.checkpoints.reading.hdf5_headers import Array
from trainctl.checkpoints.reading.zips import Span
from trainctl.checkpoints.source import Source

_BACKUP = "training_metadata.json"
_ITERATION = ("optimizer/vars/0", "/iteration", "/iter")


class Keras:
    name = "keras"

    def recognise(self, source: Source) -> bool:
        if source.is_dir:
            return _weights_in(source) is not None or _BACKUP in source.files()
        head = source.read("", 0, 8)
        if source.name.endswith(".keras"):
            return head[:4] == b"PK\3\4"
        return head == hdf5.MAGIC

    def inspect(self, source: Source) -> Inspection:
        if source.is_dir:
            return _inspect_backup(source)
        if source.name.endswith(".keras"):
            return _inspect_archive(Span.whole(source))
        return _inspect_weights(Span.whole(source))

    def resuming(self, inspection: Inspection) -> Resuming:
        if "backup.epoch" in inspection.scalars:
            how = "model.fit(..., callbacks=[BackupAndRestore(FOLDER)]) takes it by itself"
            return Resuming(how, "folder")
        if inspection.version:
            return Resuming("keras.saving.load_model(FILE), then fit(initial_epoch=...)")
        return Resuming("model.load_weights(FILE), then fit(initial_epoch=...)")

    def verify(self, source: Source) -> list[str]:
        if source.is_dir or not source.name.endswith(".keras"):
            return []
        return check_members(Span.whole(source))


def _inspect_backup(source: Source) -> Inspection:
    """What BackupAndRestore keeps: the newest weights, and which epoch and batch they are of."""
    weights = _weights_in(source)
    document = documents.read_object(source, _BACKUP)
    told = document.value
    seen = Inspection("keras", framework="keras", findings=("its weights are missing",))
    if weights is not None:
        seen = _inspect_weights(Span.whole(source, weights))
    return seen._replace(
        epoch=documents.number(told.get("epoch")),
        scalars={**seen.scalars, **documents.scalars(told, "backup.")},
        findings=(*document.findings, *seen.findings),
    )


def _weights_in(source: Source) -> str | None:
    found = (name for name in source.files() if name.endswith(".weights.h5") and "/" not in name)
    return next(found, None)


def _inspect_archive(span: Span) -> Inspection:
    archive = keras_archive.read(span)
    seen = Inspection("keras")
    if archive.weights is not None:
        shift = archive.weights.start - span.start
        seen = _inspect_weights(archive.weights, shift)
    version = archive.metadata.get("keras_version")
    told = {f"layers.{kind}": count for kind, count in archive.layers.items()}
    return seen._replace(
        format="keras",
        framework="keras",
        version=str(version)[:50] if version else "",
        scalars={**seen.scalars, **documents.scalars({**archive.metadata, **told})},
        imports=archive.imports,
        verdict=archive.verdict,
        findings=(*archive.findings, *seen.findings),
    )


def _inspect_weights(span: Span, shift: int = 0) -> Inspection:
    """shift: where it begins in its file."""
    contents = hdf5.read(span)
    tensors = tuple(
        _tensor(name, array, span.file, shift) for name, array in contents.arrays.items()
    )
    is_model = any(name.startswith("model_weights/") for name in contents.arrays)
    is_keras = is_model or any("vars/" in name for name in contents.arrays)
    return Inspection(
        "keras" if is_keras else "hdf5",
        framework="keras" if is_keras else "",
        step=_iteration(span, contents.arrays),
        tensors=tensors,
        scalars={"unread": ", ".join(contents.unread)[:200]} if contents.unread else {},
        has_optimizer=any(tensor.part == "optimizer" for tensor in tensors),
        verdict=Verdict.OPAQUE if is_model else Verdict.DATA,  # its layers may hold code
        findings=tuple(contents.findings),
    )


def _tensor(name: str, array: Array, file: str, shift: int) -> Tensor:
    part = "optimizer" if name.startswith(("optimizer/", "optimizer_weights/")) else "model"
    start = None if array.start is None else array.start + shift
    end = None if start is None else start + array.bytes
    return Tensor(name, array.shape, array.dtype, array.bytes, part, file, start, end)


def _iteration(span: Span, arrays: Mapping[str, Array]) -> int | None:
    """How many steps the optimizer has made: its first variable, an integer alone."""
    for name, array in arrays.items():
        is_counter = not array.shape and array.dtype.startswith("int") and array.start
        if is_counter and name.endswith(_ITERATION):
            data = span.read(array.start or 0, array.bytes)
            return int.from_bytes(data, "little", signed=True)
    return None
