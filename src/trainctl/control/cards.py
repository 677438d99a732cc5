"""Which GPU cards a run may claim, and who has those that are taken."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from trainctl.control.wiring import Here
from trainctl.errors import BusyError, RefusedError, UsageError
from trainctl.kit import locks, process
from trainctl.kit.names import Home


def claim_of(here: Here, count: int, ids: Sequence[str] | None, *, wait: bool) -> dict[str, Any]:
    """How many cards of which the waiter is to lock; the real claim is the waiter's own.

    Raises RefusedError where there are not so many at all, BusyError naming who has them where
    they are taken and nobody wants to wait.
    """
    if not count and not ids:
        return {"count": 0, "candidates": [], "ids": None}
    from trainctl.kit import gpus  # 4 ms, for who wants cards

    ids = list(dict.fromkeys(card.strip() for card in ids)) if ids else None
    seen = gpus.look()
    there = gpus.visible(seen.cards, dict(here.environ)) if seen.cards else []
    wanted = ids or there
    unknown = [card for card in wanted if card not in there]
    if unknown:
        have = ", ".join(there) or "none"
        raise UsageError(
            f"--gpu-ids: there is no GPU {', '.join(unknown)} here; there is {have}",
            hint="trainctl doctor",
        )
    need = len(wanted) if ids else count
    if need > len(wanted):
        why = f" ({seen.trouble})" if seen.trouble else ""
        raise RefusedError(
            f"--gpus {need}: this machine has {len(there)} usable GPUs{why}",
            hint="trainctl doctor",
        )
    taken = holders(here.home, wanted)
    if len(wanted) - len(taken) < need and not wait:
        who = ", ".join(f"GPU {card} by {run}" for card, run in taken.items())
        raise BusyError(
            f"{need} GPUs were asked for, {len(wanted) - len(taken)} are free; taken: {who}",
            hint="add --wait, and the run starts as soon as they are free",
        )
    return {"count": need, "candidates": wanted, "ids": ids}


def holders(home: Home, cards: Sequence[str]) -> dict[str, str]:
    """The cards that are taken, and the run that has each."""
    taken: dict[str, str] = {}
    for card in cards:
        path = os.path.join(home.locks, f"gpu-{card}.lock")
        who = locks.holder(path)
        outlived = isinstance(who.get("path"), str) and bool(process.marked(str(who["path"])))
        if locks.is_taken(path) or outlived:
            taken[card] = str(who.get("run", "somebody"))
    return taken


def device(environment: Mapping[str, str]) -> str:
    """`cuda`, `mps` or `cpu`: what a script can use here, without asking a driver."""
    hidden = environment.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}
    if not hidden and os.path.exists("/dev/nvidiactl"):
        return "cuda"
    uname = os.uname()
    return "mps" if (uname.sysname, uname.machine) == ("Darwin", "arm64") else "cpu"
