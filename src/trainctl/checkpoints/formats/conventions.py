"""Whose training state a torch file is, by its keys: frameworks that use plain `torch.save`.

Source: pytorch-lightning 2.6.6, trainer/connectors/checkpoint_connector.py; timm 1.0.31,
utils/checkpoint_saver.py; ultralytics 8.4.190, engine/trainer.py; nanoGPT, train.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainctl.checkpoints.formats import lightning
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar
from trainctl.checkpoints.formats.torch_zip import TorchZip, scalar_of
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.source import Source

_KEYS = {  # framework: keys that only it has together
    "nanoGPT": ("iter_num", "model_args.n_layer", "model_args.block_size"),
    "ultralytics": ("best_fitness", "updates", "train_args.epochs", "version"),
    "timm": ("arch", "epoch", "version", "saver.best_epoch"),
}
_OLDER_TIMM = ("arch", "epoch", "version", "args.model")
_MMENGINE = "meta.mmengine_version"
_VERSIONS = {"ultralytics": "version", "mmengine": _MMENGINE}
_HOW = {
    "nanoGPT": Resuming("train.py --init_from=resume --out_dir=ITS_FOLDER, as ckpt.pt"),
    "ultralytics": Resuming("yolo train resume model=FILE, or YOLO(FILE).train(resume=True)"),
    "timm": Resuming("train.py --resume FILE"),
    "mmengine": Resuming("train.py --resume, with load_from=FILE"),
}


class Torch(TorchZip):
    """Torch zips of any framework."""

    def inspect(self, source: Source) -> Inspection:
        seen = super().inspect(source)
        if lightning.VERSION in seen.scalars:
            return lightning.describe(source, seen)
        return _named(source, seen)

    def resuming(self, inspection: Inspection) -> Resuming:
        if inspection.format == "lightning":
            return lightning.RESUMING
        return _HOW.get(inspection.framework) or super().resuming(inspection)


def _named(source: Source, seen: Inspection) -> Inspection:
    framework = framework_of(seen.scalars)
    if not framework:
        return seen
    version = seen.scalars.get(_VERSIONS.get(framework, ""))
    named = seen._replace(framework=framework, version=str(version or "")[:50])
    rule = {"nanoGPT": _of_nano_gpt, "ultralytics": _of_ultralytics, "timm": _of_timm}
    return rule[framework](source, named) if framework in rule else named


def framework_of(scalars: Mapping[str, Scalar]) -> str:
    """Which framework writes these keys; "" for none that is known."""
    for framework, keys in _KEYS.items():
        if all(key in scalars for key in keys):
            return framework
    if all(key in scalars for key in _OLDER_TIMM):
        return "timm"
    return "mmengine" if _MMENGINE in scalars else ""


def _of_nano_gpt(source: Source, seen: Inspection) -> Inspection:
    """It keeps its best loss as the tensor that it computed."""
    found = (tensor for tensor in seen.tensors if tensor.name == "best_val_loss")
    values = [scalar_of(source, tensor) for tensor in found]
    if not values or values[0] is None:
        return seen
    kept = tuple(tensor for tensor in seen.tensors if tensor.name != "best_val_loss")
    return seen._replace(best_metric=("best_val_loss", values[0], "min"), tensors=kept)


def _of_ultralytics(_: Source, seen: Inspection) -> Inspection:
    """It saves the averaged weights alone, and goes on from those."""
    tensors = (t._replace(part="model") if t.part == "ema" else t for t in seen.tensors)
    return seen._replace(tensors=tuple(tensors))


def _of_timm(_: Source, seen: Inspection) -> Inspection:
    """`metric` is that of its epoch; whether more of it is better, it does not say."""
    metric = documents.number(seen.scalars.get("metric"))
    metrics = seen.metrics if metric is None else {**seen.metrics, "metric": metric}
    return seen._replace(metrics=metrics, best_metric=None)
