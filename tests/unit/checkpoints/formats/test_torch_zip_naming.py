"""What the entries of a training state are taken for: parts, plain values, progress."""

from __future__ import annotations

import pickle
from argparse import Namespace
from collections import OrderedDict
from enum import Enum
from pathlib import PurePosixPath

import pytest

from tests import need
from tests.hostile.memory import MemorySource
from tests.hostile.zipping import torch_zip
from trainctl.checkpoints.formats.torch_zip import TORCH, read_pickle
from trainctl.checkpoints.reading.parts import part_of
from trainctl.checkpoints.reading.progress import direction, is_metric, progress_of
from trainctl.checkpoints.reading.walk import SCALARS

PARTS = {
    "model": "model state_dict module model_state_dict net weights generator schema memory",
    "optimizer": "optimizer optimizer_states optim opt g_optimizer optimizer_state_dict",
    "scheduler": "scheduler lr_schedulers scheduler_state_dict sched",
    "ema": "ema model_ema ema_state_dict state_dict_ema averaged_model",
    "rng": "rng_state cuda_rng_state random_state torch-rng",
    "other": "scaler callbacks loops config args grad_scaler",
}


def scalars_of(value: object, protocol: int = 2) -> dict[str, object]:
    return dict(read_pickle(MemorySource(pickle.dumps(value, protocol))).scalars)


@pytest.mark.parametrize(("part", "names"), PARTS.items())
def test_entries_belong_to_the_part_that_they_are_named_for(part: str, names: str):
    assert {part_of(name) for name in names.split()} == {part}


@pytest.mark.parametrize(
    ("scalars", "step", "epoch", "best"),
    [
        ({"iter_num": 5, "best_val_loss": 1.5}, 5, None, ("best_val_loss", 1.5, "min")),
        ({"epoch": 3, "metric": 0.7, "arch": "resnet"}, None, 3, ("metric", 0.7, "")),
        ({"epoch": 9, "best_fitness": 0.4}, None, 9, ("best_fitness", 0.4, "max")),
        ({"meta.epoch": 2, "meta.iter": 80}, 80, 2, None),
        ({"iteration": 999}, 999, None, None),
        ({"global_step": 7, "step": 3, "epoch": 0.5}, 7, 0.5, None),
        ({"step": True, "epoch": "3"}, None, None, None),
        ({"step": -1, "epoch": -1}, None, None, None),
        ({"step": float("inf"), "epoch": 1}, None, 1, None),
        ({"step": 1 << 200, "epoch": 1}, None, 1, None),
        ({"step": 2.5}, None, None, None),
    ],
)
def test_progress_is_told_by_the_usual_names(
    scalars: dict[str, int | float | str | bool],
    step: int | None,
    epoch: float | None,
    best: tuple[str, float, str] | None,
):
    found = progress_of(scalars)

    assert (found.step, found.epoch) == (step, epoch)
    assert found.best_metric == best


def test_losses_and_metrics_are_numbers_of_known_names():
    found = progress_of(
        {"loss": 0.5, "loss_scale": 65536.0, "train_metrics.mAP50": 0.3, "lr": 0.1}
    )

    assert found.loss == 0.5
    assert found.metrics == {"loss": 0.5, "mAP50": 0.3}


def test_which_of_two_values_is_better_is_known_by_name():
    assert [direction(name) for name in ("val_loss", "best_acc1", "mAP50-95", "lr")] == [
        "min",
        "max",
        "max",
        "",
    ]
    assert is_metric("best_metric")
    assert not is_metric("optimizer.loss")


class Phase(Enum):
    WARM = "warm"


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_within_objects_are_shown(protocol: int):
    value = {
        "args": Namespace(lr=0.1, out=PurePosixPath("runs/7"), layers=[1, 2]),
        "phase": Phase.WARM,
        "history": OrderedDict(loss=[{"value": 0.5}]),
        "params": list(range(1_000)),
        3: {None: True},
    }

    found = scalars_of(value, protocol)

    assert found == {
        "args.lr": 0.1,
        "args.out": "runs/7",
        "args.layers.0": 1,
        "args.layers.1": 2,
        "phase": "warm",
        "history.loss.0.value": 0.5,
        "3.None": True,
    }


@need.module("numpy")
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_numbers_of_numpy_are_numbers(protocol: int):
    import numpy as np

    kinds = {"a": np.float64(0.25), "b": np.int32(-7), "c": np.float16(1.5), "d": np.bool_(True)}

    assert scalars_of(kinds, protocol) == {"a": 0.25, "b": -7, "c": 1.5, "d": True}


def test_values_shared_by_groups_are_shown_for_each():
    betas = (0.9, 0.99)

    found = scalars_of({"groups": [{"betas": betas}, {"betas": betas}]})

    assert found["groups.0.betas.0"] == found["groups.1.betas.0"] == 0.9


def test_only_so_many_plain_values_are_shown_and_long_texts_are_cut():
    found = scalars_of({"text": "x" * 10_000, **{f"k{i}": i for i in range(5_000)}})

    assert len(found) == SCALARS
    assert found["text"] == "x" * 200


def test_how_to_resume_is_told():
    inspection = TORCH.inspect(MemorySource(torch_zip(b"\x80\x02}.")))

    assert "load_state_dict" in TORCH.resuming(inspection).how
    assert "TorchScript" in TORCH.resuming(inspection._replace(framework="torchscript")).how
