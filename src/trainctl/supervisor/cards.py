"""Wait for what an attempt needs before it may start: its predecessor's end, and its GPU cards."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Dict, Generator, List, NamedTuple, Optional, Tuple

from trainctl.kit import events, locks, process, requests
from trainctl.kit.launch import Launch
from trainctl.kit.names import AttemptFolder, RunFolder

_POLL_SECONDS = 0.25


class Claim(NamedTuple):
    names: List[str]
    variables: Dict[str, str]
    refusal: Optional[Tuple[str, str]]  # reason and evidence: nothing is held


@contextlib.contextmanager
def claim(run: RunFolder, attempt: AttemptFolder, plan: Launch) -> Generator[Claim, None, None]:
    """Hold the attempt's cards while the trainer lives; it inherits the locks."""
    held: Dict[str, locks.Lock] = {}
    try:
        refusal = _wait(run, attempt, plan, held)
        names = sorted(held, key=lambda name: (len(name), name))
        variables = {"CUDA_VISIBLE_DEVICES": ",".join(names)} if names else {}
        yield Claim(names, variables, refusal)
    finally:
        for lock in held.values():
            lock.free()


def _wait(
    run: RunFolder, attempt: AttemptFolder, plan: Launch, held: Dict[str, locks.Lock]
) -> Optional[Tuple[str, str]]:
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
            return "no_capacity", f"no free GPU: {', '.join(_holders(plan)) or 'none is there'}"
        time.sleep(_POLL_SECONDS)


def _end_of(run: RunFolder) -> Optional[str]:
    """How a run ended for good; None while it may still go on."""
    attempts = run.attempts()
    if not attempts:
        return None if os.path.isdir(run.path) else "deleted"
    for record in reversed(events.read(run.attempt(attempts[-1]).events).records):
        if record["event"] == "closed":
            return None if record.get("next") else str(record["reason"])
    return None


def _take_cards(run: RunFolder, plan: Launch, held: Dict[str, locks.Lock]) -> bool:
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
    for name in list(held):
        held.pop(name).free()
    return False


def _still_used(run: RunFolder, previous: Dict[str, Any]) -> bool:
    """A launcher's workers inherit no lock: the run that had the card may outlive its lock."""
    path = previous.get("path")
    return isinstance(path, str) and path != run.path and bool(process.marked(path))


def lock_path(folder: str, card: str) -> str:
    return os.path.join(folder, f"gpu-{card}.lock")


def _holders(plan: Launch) -> List[str]:
    found: List[str] = []
    for name in plan.gpus["candidates"]:
        path = lock_path(plan.locks, name)
        if locks.is_taken(path):
            found.append(f"GPU {name} is held by {locks.holder(path).get('run', 'somebody')}")
    return found
