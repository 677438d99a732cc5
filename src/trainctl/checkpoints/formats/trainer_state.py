"""`trainer_state.json`: what Hugging Face's Trainer knew when it wrote a checkpoint.

Its log grows with the training to many megabytes. The keys are sorted, so that of a long one the
beginning holds what is asked for, and the end the newest entries of the log.
Source: transformers 5.23.0, trainer_callback.py, TrainerState.save_to_json.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from trainctl.checkpoints.formats.protocol import Scalar
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.source import Source

FILE = "trainer_state.json"
_LONG = 1 << 20
_END = 64 << 10
_LOG = b'"log_history": ['
_ENTRY = b"    {"
_NO_METRICS = ("step", "epoch", "_runtime", "_per_second")


class State(NamedTuple):
    """metrics: the newest of each in the log, but for speeds."""

    step: int | None
    epoch: float | None
    loss: float | None
    metrics: dict[str, float]
    best: float | None
    scalars: dict[str, Scalar]
    findings: tuple[str, ...]


def read_state(source: Source) -> State:
    """Raises OSError."""
    size = source.files().get(FILE, 0)
    document = _read_long(source, size) if size > _LONG else documents.read_object(source, FILE)
    told = document.value
    metrics: dict[str, float] = {}
    for entry in documents.items(told.get("log_history")):
        metrics |= documents.numbers(entry)
    metrics = {name: value for name, value in metrics.items() if not name.endswith(_NO_METRICS)}
    return State(
        documents.whole(told.get("global_step")),
        documents.number(told.get("epoch")),
        metrics.get("loss", metrics.get("train_loss")),
        metrics,
        documents.number(told.get("best_metric")),
        documents.scalars(told, "trainer_state."),
        document.findings,
    )


def _read_long(source: Source, size: int) -> documents.Document:
    """The values before its log, and the log's newest entries; the middle is left unread."""
    head = source.read(FILE, 0, _LONG)
    before, found, _ = head.partition(_LOG)
    if not found:
        return documents.read_object(source, FILE)
    document = documents.parse(before + b'"log_history": []}', FILE)
    end = source.read(FILE, size - _END, _END)
    if not end.rstrip().endswith(b"}"):
        return documents.Document({}, (f"{FILE} is cut off",))
    entries: list[Any] = []
    at, decoder = end.find(_ENTRY), json.JSONDecoder()
    text = end[at + 4 :].decode("utf-8", "replace") if at >= 0 else ""
    while text.startswith("{"):
        try:
            entry, stop = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            break
        entries.append(entry)
        text = text[stop:].lstrip(" \r\n\t,")
    return document._replace(value={**document.value, "log_history": entries})
