"""What differs between two checkpoints, by what is known of them without loading either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Inspection, Scalar, Tensor

HEAD = ("format", "framework", "step", "epoch", "loss", "world size", "optimizer", "parameters")


class Changed(NamedTuple):
    """A tensor that both have."""

    before: Tensor
    after: Tensor


class Differing(NamedTuple):
    """A fact as the one and the other has it; None where it has none."""

    name: str
    before: Scalar
    after: Scalar

    @property
    def is_equal(self) -> bool:
        """NaN is equal to NaN here."""
        return self.before == self.after or str(self.before) == str(self.after)


class Difference(NamedTuple):
    """common: all tensors that both have. facts: of which either has any, also equal ones.

    A tensor that only lies elsewhere in its file is not changed.
    """

    added: list[Tensor]
    removed: list[Tensor]
    reshaped: list[Changed]
    retyped: list[Changed]
    common: list[Changed]
    facts: list[Differing]

    @property
    def is_alike(self) -> bool:
        """Whether what loads the one can load the other: the same tensors, shapes and types."""
        return not (self.added or self.removed or self.reshaped or self.retyped)


def compare(before: Inspection, after: Inspection) -> Difference:
    had, has = _by_name(before), _by_name(after)
    both = [Changed(had[key], has[key]) for key in had if key in has]
    return Difference(
        added=[has[key] for key in has if key not in had],
        removed=[had[key] for key in had if key not in has],
        reshaped=[pair for pair in both if pair.before.shape != pair.after.shape],
        retyped=[pair for pair in both if pair.before.dtype != pair.after.dtype],
        common=both,
        facts=_side_by_side(_facts(before), _facts(after)),
    )


def _by_name(inspection: Inspection) -> dict[tuple[str, str], Tensor]:
    return {(tensor.part, tensor.name): tensor for tensor in inspection.tensors}


def _facts(of: Inspection) -> dict[str, Scalar]:
    """What is known besides tensors, under one name each."""
    head = (
        of.format,
        f"{of.framework} {of.version}".strip() or None,
        of.step,
        of.epoch,
        of.loss,
        of.world_size,
        {True: "yes", False: "no", None: None}[of.has_optimizer],
        of.parameters or None,
    )
    told: dict[str, Scalar] = dict(zip(HEAD, head, strict=True))
    if of.best_metric:
        told[f"best {of.best_metric[0]}"] = of.best_metric[1]
    return {**told, **of.metrics, **of.scalars}


def _side_by_side(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> list[Differing]:
    names: Iterable[str] = dict.fromkeys([*before, *after])
    pairs = [Differing(name, before.get(name), after.get(name)) for name in names]
    return [pair for pair in pairs if pair.before is not None or pair.after is not None]
