"""Whose training state a torch file is, by its keys: frameworks that use plain `torch.save`.

Source: pytorch-lightning 2.6.6, trainer/connectors/checkpoint_connector.py; timm 1.0.31,
utils/checkpoint_saver.py; ultralytics 8.4.190, engine/trainer.py; nanoGPT, train.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainctl.checkpoints import documents
from trainctl.checkpoints.formats import lightning
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar
from trainctl.checkpoints.formats.torch_zip import TorchZip
from trainctl.checkpoints.source import Source

_KEYS = {  # framework: keys that only it has together
    "nanoGPT": ("iter_num", "best_val_loss", "model_args.n_layer"),
    "ultralytics": ("best_fitness", "updates", "train_args.epochs", "version"),
    "timm": ("arch", "epoch", "version", "saver.best_epoch"),
}
_OLDER_TIMM = ("arch", "epoch", "version", "args.model")
_MMENGINE = "meta.mmengine_version"
_HOW = {
    "nanoGPT": Resuming("train.py --init_from=resume --out_dir=FOLDER: ckpt.pt in it", "folder"),
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
        return _named(seen)

    def resuming(self, inspection: Inspection) -> Resuming:
        if inspection.format == "lightning":
            return lightning.RESUMING
        return _HOW.get(inspection.framework) or super().resuming(inspection)


def _named(seen: Inspection) -> Inspection:
    framework = framework_of(seen.scalars)
    if not framework:
        return seen
    version = seen.scalars.get("version") if framework == "ultralytics" else None
    version = seen.scalars.get(_MMENGINE) if framework == "mmengine" else version
    named = seen._replace(framework=framework, version=str(version or "")[:50])
    return _timms_best(named) if framework == "timm" else named


def framework_of(scalars: Mapping[str, Scalar]) -> str:
    """Which framework writes these keys; "" for none that is known."""
    for framework, keys in _KEYS.items():
        if all(key in scalars for key in keys):
            return framework
    if all(key in scalars for key in _OLDER_TIMM):
        return "timm"
    return "mmengine" if _MMENGINE in scalars else ""


def _timms_best(seen: Inspection) -> Inspection:
    """`metric` is that of its epoch; the best so far is what the saver keeps."""
    metric = documents.number(seen.scalars.get("metric"))
    best = documents.number(seen.scalars.get("saver.best_metric", metric))
    return seen._replace(
        metrics=seen.metrics if metric is None else {**seen.metrics, "metric": metric},
        best_metric=None if best is None else ("metric", best, ""),
    )
