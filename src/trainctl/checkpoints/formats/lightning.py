"""What Lightning adds to a torch file: its version, its loops, and its callbacks' scores.

Source: pytorch-lightning 2.6.6, trainer/connectors/checkpoint_connector.py and
callbacks/model_checkpoint.py.
"""

from __future__ import annotations

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar, Tensor
from trainctl.checkpoints.formats.torch_zip import scalar_of
from trainctl.checkpoints.source import Source

VERSION = "pytorch-lightning_version"
RESUMING = Resuming("trainer.fit(model, ckpt_path=FILE), or --ckpt_path FILE")
_CALLBACK = "callbacks.ModelCheckpoint"


def describe(source: Source, seen: Inspection) -> Inspection:
    """With the best score that ModelCheckpoint knew, and the one that this checkpoint has."""
    version = seen.scalars.get(VERSION)
    best: tuple[str, float, str] | None = None
    metrics = dict(seen.metrics)
    for tensor in seen.tensors:
        callback, _, field = tensor.name.rpartition(".")
        monitor = seen.scalars.get(f"{callback}.monitor")
        if not callback.startswith(_CALLBACK) or not isinstance(monitor, str):
            continue
        value = scalar_of(source, tensor)
        if value is not None and field == "best_model_score" and best is None:
            best = (monitor, value, _way(callback))
        if value is not None and field == "current_score":
            metrics[monitor] = value
    return seen._replace(
        format="lightning",
        framework="pytorch-lightning",
        version=str(version)[:50],
        metrics=metrics,
        best_metric=best,
        loss=seen.loss if seen.loss is not None else _loss(metrics),
        tensors=tuple(tensor for tensor in seen.tensors if not _is_score(tensor)),
        scalars=_without_loops(seen),
    )


def _way(callback: str) -> str:
    """Its arguments are a part of its key."""
    return next((way for way in ("min", "max") if f"'mode': '{way}'" in callback), "")


def _loss(metrics: dict[str, float]) -> float | None:
    return next(
        (metrics[name] for name in ("train_loss", "loss", "val_loss") if name in metrics), None
    )


def _is_score(tensor: Tensor) -> bool:
    return tensor.name.startswith("callbacks.") and not tensor.shape


def _without_loops(seen: Inspection) -> dict[str, Scalar]:
    """A hundred counters of its loops say nothing that step and epoch do not."""
    return {name: value for name, value in seen.scalars.items() if not name.startswith("loops.")}
