"""What differs between two checkpoints, by what is known of both."""

from __future__ import annotations

from trainctl.checkpoints.diff import compare
from trainctl.checkpoints.formats.protocol import Inspection, Tensor

WEIGHT = Tensor("net.weight", (4, 2), "float32", 32, "model", "a.pt", 64, 96)
BIAS = Tensor("net.bias", (4,), "float32", 16)


def test_a_tensor_that_lies_elsewhere_is_no_difference():
    moved = WEIGHT._replace(file="b.pt", start=128, end=160)
    found = compare(Inspection("torch", tensors=(WEIGHT,)), Inspection("torch", tensors=(moved,)))
    assert found.is_alike
    assert len(found.common) == 1


def test_added_removed_reshaped_and_retyped_are_told_apart():
    before = Inspection("torch", tensors=(WEIGHT, BIAS, Tensor("old", (), "int64", 8)))
    after = Inspection(
        "torch",
        tensors=(
            WEIGHT._replace(shape=(4, 3)),
            BIAS._replace(dtype="bfloat16"),
            Tensor("new", (), "int64", 8),
        ),
    )
    found = compare(before, after)
    assert [tensor.name for tensor in found.added] == ["new"]
    assert [tensor.name for tensor in found.removed] == ["old"]
    assert [pair.before.name for pair in found.reshaped] == ["net.weight"]
    assert [pair.after.dtype for pair in found.retyped] == ["bfloat16"]
    assert not found.is_alike


def test_the_same_name_in_another_part_is_another_tensor():
    before = Inspection("torch", tensors=(WEIGHT,))
    after = Inspection("torch", tensors=(WEIGHT._replace(part="ema"),))
    assert not compare(before, after).is_alike


def test_facts_stand_side_by_side_also_where_only_one_has_them():
    before = Inspection("torch", step=400, loss=0.5, scalars={"lr": 0.1}, has_optimizer=True)
    after = Inspection("lightning", step=800, scalars={"lr": 0.1}, has_optimizer=False)
    facts = {fact.name: (fact.before, fact.after) for fact in compare(before, after).facts}
    assert facts == {
        "format": ("torch", "lightning"),
        "step": (400, 800),
        "loss": (0.5, None),
        "optimizer": ("yes", "no"),
        "lr": (0.1, 0.1),
    }


def test_nan_is_equal_to_nan():
    nan = Inspection("torch", loss=float("nan"))
    (loss,) = [fact for fact in compare(nan, nan).facts if fact.name == "loss"]
    assert loss.is_equal
