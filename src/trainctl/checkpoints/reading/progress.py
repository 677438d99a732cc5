"""How far a training was, by the names that scripts store it under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeGuard

from trainctl.checkpoints.formats.protocol import Scalar

_MANY = 1 << 53
_STEPS = (
    "global_step",
    "iter_num",
    "iteration",
    "global_iter",
    "global_steps",
    "num_updates",
    "step",
    "steps",
    "iter",
    "iters",
    "current_step",
    "train_step",
    "train_steps",
    "meta.iter",
    "trainer.global_step",
)
_EPOCHS = ("epoch", "current_epoch", "epochs", "last_epoch", "meta.epoch", "trainer.epoch")
_LOSSES = ("loss", "train_loss", "training_loss", "last_loss")
_FOLDERS = ("metrics.", "train_metrics.", "val_metrics.", "results.")
_BETTER = {
    "max": frozenset(
        ("acc", "accuracy", "prec", "map", "fitness", "f1", "auc", "iou", "bleu", "dice", "psnr")
    ),
    "min": frozenset(("loss", "perplexity", "ppl", "error", "err", "mse", "mae", "wer", "fid")),
}


class Progress(NamedTuple):
    """As the fields of an `Inspection` of these names."""

    step: int | None
    epoch: float | None
    loss: float | None
    metrics: dict[str, float]
    best_metric: tuple[str, float, str] | None


def progress_of(scalars: Mapping[str, Scalar]) -> Progress:
    """Step, epoch, loss, metrics and best metric, where one of the usual names tells them."""
    step = _first(scalars, _STEPS)
    epoch = _first(scalars, _EPOCHS)
    metrics = {
        _bare(name): float(value)
        for name, value in scalars.items()
        if _is_number(value) and is_metric(name)
    }
    counted = step is not None and 0 <= step < _MANY and step == step // 1
    best = next(filter(_is_best, metrics), None)
    return Progress(
        int(step) if step is not None and counted else None,
        epoch if epoch is not None and epoch >= 0 else None,
        _first(scalars, _LOSSES),
        metrics,
        None if best is None else (best, metrics[best], direction(best)),
    )


def _first(scalars: Mapping[str, Scalar], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = scalars.get(name)
        if _is_number(value):
            return value
    return None


def _is_number(value: Scalar) -> TypeGuard[float]:
    """Not a truth, and small enough to be one that was measured or counted."""
    return type(value) is float or (type(value) is int and abs(value) < _MANY)


def is_metric(name: str) -> bool:
    """Whether an entry of this path is a measure of how well it goes."""
    if name.startswith(_FOLDERS):
        return True
    return "." not in name and (_is_best(name) or bool(direction(name)))


def _is_best(name: str) -> bool:
    """Whether it is the best so far; timm calls it `metric`."""
    return name.startswith("best_") or name == "metric"


def direction(name: str) -> str:
    """`min` or `max`: which of two values of this metric is better; "" where nobody can tell."""
    plain = "".join(letter if letter.isalpha() else " " for letter in name.lower())
    words = plain.split()
    if "scale" in words:  # of the loss: a setting
        return ""
    return next((way for way, stems in _BETTER.items() if not stems.isdisjoint(words)), "")


def _bare(name: str) -> str:
    return name.split(".", 1)[1] if name.startswith(_FOLDERS) else name
