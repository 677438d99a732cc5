"""Torch files as nanoGPT, timm and Ultralytics write them.

timm's saver is timm's own, loaded without the rest of timm, which wants torchvision. nanoGPT is a
script and no package, Ultralytics wants OpenCV: what they save is written here as their sources
have it (nanoGPT's train.py; ultralytics 8.4.190, engine/trainer.py, save_model).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import types
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from tests.frameworks import made

UNCALLED = {
    "torchvision": (),
    "torchvision.ops": (),
    "torchvision.ops.misc": ("FrozenBatchNorm2d",),
    "timm.layers": (
        "BatchNormAct2d",
        "SyncBatchNormAct",
        "FrozenBatchNormAct2d",
        "freeze_batch_norm_2d",
        "unfreeze_batch_norm_2d",
    ),
}


def main() -> None:
    out = made.folder()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(5, 4)).sum().backward()
    optimizer.step()
    nano_gpt(out / "ckpt.pt", model, optimizer)
    ultralytics(out / "weights", model, optimizer)
    timm(out / "timm", model, optimizer)
    tensors = made.tensors_of(model.state_dict())
    half = made.tensors_of(deepcopy(model).half().state_dict())
    timms = {"framework": "timm", "epoch": 1, "metrics": {"metric": 71.5}, "tensors": tensors}
    made.say(
        out,
        {
            "ckpt.pt": {
                "framework": "nanoGPT",
                "step": 250,
                "best": ["best_val_loss", 1.25, "min"],
                "tensors": tensors,
            },
            "weights/last.pt": {
                "framework": "ultralytics",
                "version": "8.4.190",
                "epoch": 3,
                "best": ["best_fitness", 0.5, "max"],
                "tensors": half,
            },
            "timm/checkpoint-1.pth.tar": timms,
            "timm/last.pth.tar": timms,
        },
    )


def nano_gpt(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "model_args": {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 8, "bias": False},
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.25),  # train.py keeps what estimate_loss returned
        "config": {"out_dir": "out", "learning_rate": 6e-4},
    }
    torch.save(checkpoint, path)


def ultralytics(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    folder.mkdir()
    checkpoint = {
        "epoch": 3,
        "best_fitness": 0.5,
        "model": None,
        "ema": deepcopy(model).half(),
        "updates": 40,
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        "train_args": {"model": "yolo11n.yaml", "epochs": 10, "imgsz": 64},
        "train_metrics": {"metrics/mAP50(B)": 0.6, "val/box_loss": 1.5, "fitness": 0.5},
        "date": "2026-01-01T00:00:00",
        "version": "8.4.190",
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
    }
    torch.save(checkpoint, folder / "last.pt")


def timm(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    folder.mkdir()
    arguments = argparse.Namespace(model="resnet18", epochs=10)
    saver = _timms_saver()(model, optimizer, args=arguments, checkpoint_dir=str(folder))
    saver.save_checkpoint(0, metric=60.0)
    saver.save_checkpoint(1, metric=71.5)


def _timms_saver():
    """`timm.utils.checkpoint_saver.CheckpointSaver`, with empty names for what it never calls."""
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, path in (("timm", root), ("timm.utils", root / "utils")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(path)]
    for name, content in UNCALLED.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(dict.fromkeys(content, nn.Identity))
    return importlib.import_module("timm.utils.checkpoint_saver").CheckpointSaver


if __name__ == "__main__":
    main()
