"""Wait for what an attempt needs before it may start: its predecessor's end, and its GPU cards."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional, Tuple

from trainctl.kit import locks, process, requests
from trainctl.kit.launch import Launch
from trainctl.kit.names import AttemptFolder, RunFolder

_POLL_SECONDS = 0.25


Held = Dict[str, locks.Lock]


def names(held: Held) -> List[str]:
    return sorted(held, key=lambda name: (len(name), name))


def variables(held: Held) -> Dict[str, str]:
    """What makes the cards, numbered as nvidia-smi numbers them, all that the trainer sees."""
    if not held:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(names(held)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def free(held: Held) -> None:
    for lock in held.values():
        lock.free()
    held.clear()


def claim(
    run: RunFolder, attempt: AttemptFolder, plan: Launch, held: Held
) -> Optional[Tuple[str, str]]:
    """Wait, then put the attempt's cards into `held`; or the reason and evidence of a refusal.

    The trainer inherits the locks; whoever holds them frees them after its last descendant.
    """
    give_up = None if plan.wait_seconds is None else time.monotonic() + plan.wait_seconds
    after = plan.after
    while True:
        stop = requests.stop_request(run, attempt.number)
        if stop is not None:
            return "stopped", f"{stop.get('by', 'asked')}; it was still queued"
        if after is not None:
            ended = _end_of(RunFolder(os.path.join(os.path.dirname(run.path), after)))
            if ended == "succeeded":
                after = None
            elif ended is not None:
                return "setup_failed", f"{plan.after}, which it was to follow, ended as {ended}"
        if after is None and _take_cards(run, plan, held):
            return None
        if after is None and give_up is not None and time.monotonic() >= give_up:
            return (
                "no_capacity",
                f"no free GPU: {', '.join(_holders(run, plan)) or 'none is there'}",
            )
        time.sleep(_POLL_SECONDS)


def _end_of(run: RunFolder) -> Optional[str]:
    """How a run ended for good; None while it may still go on."""
    from trainctl.kit import events  # few runs follow another

    attempts = run.attempts()
    if not attempts:
        return None if os.path.isdir(run.path) else "deleted"
    for record in reversed(events.read(run.attempt(attempts[-1]).events).records):
        if record["event"] == "closed":
            return None if record.get("next") else str(record["reason"])
    return None


def _take_cards(run: RunFolder, plan: Launch, held: Held) -> bool:
    """All cards that are asked for, or none: half a claim would keep another run waiting."""
    wanted = int(plan.gpus["count"])
    for name in plan.gpus["candidates"]:
        if len(held) == wanted:
            break
        path = lock_path(plan.locks, name)
        lock = locks.Lock(path, inherit=True)
        if not lock.take():
            continue
        if _still_used(run, locks.holder(path)):
            lock.free()
            continue
        lock.sign({"run": run.name, "path": run.path, "pid": os.getpid()})
        held[name] = lock
    if len(held) == wanted:
        return True
    free(held)
    return False


def _still_used(run: RunFolder, previous: Dict[str, Any]) -> bool:
    """A launcher's workers inherit no lock: the run that had the card may outlive its lock."""
    path = previous.get("path")
    return isinstance(path, str) and path != run.path and bool(process.marked(path))


def lock_path(folder: str, card: str) -> str:
    return os.path.join(folder, f"gpu-{card}.lock")


def _holders(run: RunFolder, plan: Launch) -> List[str]:
    found: List[str] = []
    for name in plan.gpus["candidates"]:
        path = lock_path(plan.locks, name)
        who = locks.holder(path)
        if locks.is_taken(path) or _still_used(run, who):
            found.append(f"GPU {name} is held by {who.get('run', 'somebody')}")
    return found
