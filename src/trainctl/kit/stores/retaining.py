"""The checkpoints of a run in a store, as rules of retention see them."""

from __future__ import annotations

from typing import List, Mapping, Optional

from trainctl.kit.retention import Kept, has_diverged
from trainctl.kit.stores import shelf
from trainctl.kit.stores.protocol import Store


def kept_in(
    store: Store, run: Optional[str], nan_from: Optional[Mapping[int, int]] = None
) -> List[Kept]:
    """Every whole checkpoint of this run, or of all.

    nan_from: by attempt, the step from which on its loss is no number, where that is known.
    """
    return [_kept(one, nan_from or {}) for one in shelf.shelved(store, run)]


def _kept(one: shelf.Shelved, nan_from: Mapping[int, int]) -> Kept:
    return Kept(
        key=one.key,
        made=one.made,
        size=one.size,
        step=one.step,
        attempt=one.attempt,
        metrics=one.metrics,
        content=one.id,
        verified=True,  # its manifest came last, after checksums of all the rest
        diverged=has_diverged(one.metrics, one.step, nan_from.get(one.attempt)),
        held=["pinned"] if one.pinned else [],
    )
