"""Which part of a training state each entry of a checkpoint is, by the names people give them."""

from __future__ import annotations

from trainctl.checkpoints.reading.pickled import Value, mapping

_WORDS = {
    "ema": "ema",
    "averaged": "ema",
    "avg": "ema",
    "opt": "optimizer",
    "rng": "rng",
    "random": "rng",
    "callbacks": "other",
    "loops": "other",
    "scaler": "other",
    "amp": "other",
    "config": "other",
    "args": "other",
}
_STEMS = {"optim": "optimizer", "sched": "scheduler"}


def part_of(key: str) -> str:
    """`model`, `optimizer`, `scheduler`, `ema`, `rng` or `other`, by the name of a top entry."""
    for word in key.lower().replace("-", "_").replace(".", "_").split("_"):
        part = _WORDS.get(word) or _STEMS.get(word[:5])
        if part is not None:
            return part
    return "model"


def whole_part(top: dict[Value, Value] | None) -> str:
    """The part that all of it is, or "" where each entry tells that for itself."""
    if top is None:
        return "model"
    if "param_groups" in top and "state" in top:
        return "optimizer"
    named = any(isinstance(key, str) and "." in key for key in top)
    return "model" if named and all(mapping(value) is None for value in top.values()) else ""
