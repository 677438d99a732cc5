"""Close an attempt: say why it ended, decide what follows, see its checkpoints to safety."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Dict, List, Optional

from trainctl.kit import events, files, launch, process, reasons, retry
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import ending, observing, stopping
from trainctl.supervisor.guarding import guarded
from trainctl.supervisor.keeping import Keeper


def closed(attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    """The attempt's closing record; None while it has none."""
    for record in reversed(events.read(attempt.events).records):
        if record["event"] == "closed":
            return record
    return None


def is_cancelled(attempt: AttemptFolder) -> bool:
    return any(r["event"] == "retry_cancelled" for r in events.read(attempt.events).records)


def write_missing_exit(
    attempt: AttemptFolder, waiter: Optional[process.Identity], *, began: bool
) -> None:
    """Say what can be said of an attempt whose waiter died before it could write the end.

    began: whether there was a trainer; it may also have come and gone unseen, and left its log.
    """
    if waiter is not None and waiter.boot != process.boot_id():
        reason, evidence = "host_lost", "the machine was started anew while it ran"
    elif not began and not os.path.exists(attempt.log):
        reason, evidence = "setup_failed", "the waiter was killed before the trainer started"
    else:
        reason, evidence = "unknown_exit", "the waiter was killed, so nobody saw the exit status"
    pid = files.read_json(attempt.pid) or {}
    if os.path.exists(attempt.exit):
        reason, evidence = "unknown_exit", f"{attempt.exit} is damaged"
    record = {
        "code": None,
        "signal": None,
        "reason": reason,
        "evidence": evidence,
        "started": pid.get("started", time.time()),
        "ended": _last_sign_of_life(attempt),
    }
    ending.write(attempt, record)


def _last_sign_of_life(attempt: AttemptFolder) -> float:
    times = [os.path.getmtime(p) for p in (attempt.log, attempt.system) if os.path.exists(p)]
    return max(times, default=time.time())


def close(
    run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, keeper: Keeper
) -> Optional[Dict[str, Any]]:
    """Append the closing record, once its checkpoints are safe or their time is over.

    None where the run folder was deleted meanwhile.
    """
    ended = files.read_json(attempt.exit)
    if ended is None:
        return None
    observing.note_checkpoints(job, attempt, keeper, writers_alive=False)
    stop = _stop_obeyed(run, attempt, ended)
    end = reasons.classify(ended, _tail(attempt.log), stop, _kills(attempt))
    history = [*_history(run, attempt.number), _as_ended(run, attempt, end.reason, ended)]
    verdict = retry.verdict(history, int(job["retries"]))
    if verdict.crash_loop:
        end = reasons.End("crash_loop", f"{verdict.why}; the last one: {end.evidence}")
    record = {
        "reason": end.reason,
        "evidence": end.evidence,
        "next": attempt.number + 1 if verdict.again else None,
        "delay_seconds": verdict.delay_seconds,
        "why": verdict.why,
    }
    _finish(run, attempt, keeper, last=not verdict.again)
    return _append(run, attempt, record)


def _finish(run: RunFolder, attempt: AttemptFolder, keeper: Keeper, *, last: bool) -> None:
    wanted = partial(_is_wanted, run, attempt)
    guarded(lambda: keeper.finish(wanted, last=last), otherwise=None)


def _is_wanted(run: RunFolder, attempt: AttemptFolder) -> bool:
    """Whether its checkpoints are to be waited for: not by who wanted its end at once."""
    asked = stopping.asked_to_stop(run, attempt)
    at_once = asked is not None and float(asked["grace_seconds"]) <= 0
    return os.path.isdir(attempt.path) and not at_once


def _append(
    run: RunFolder, attempt: AttemptFolder, record: Dict[str, Any]
) -> Optional[Dict[str, Any]]:
    """However long the disk refuses: without this record the run would never be seen to end."""
    while os.path.isdir(attempt.path):
        try:
            if record["next"] is None:
                launch.forget_environment(run)  # first: nobody comes back to a run that is closed
            return events.append(attempt.events, "closed", record)
        except OSError:
            time.sleep(1)
    return None


def cancel_retry(run: RunFolder, attempt: AttemptFolder, by: str, keeper: Keeper) -> None:
    """Say that the next attempt, which the closing record told of, will not come."""
    _finish(run, attempt, keeper, last=True)
    while os.path.isdir(attempt.path):
        try:
            launch.forget_environment(run)
            events.append(attempt.events, "retry_cancelled", {"by": by})
            return
        except OSError:
            time.sleep(1)


def _stop_obeyed(
    run: RunFolder, attempt: AttemptFolder, ended: Dict[str, Any]
) -> Optional[Dict[str, Any]]:
    for record in events.read(attempt.events).records:
        if record["event"] == "stopping":
            return record
    asked = stopping.asked_to_stop(run, attempt)
    came_late = asked is not None and float(asked["at"]) > float(ended["ended"])
    return None if came_late else asked


def _kills(attempt: AttemptFolder) -> int:
    before = next(
        (int(r["oom_kills"]) for r in events.read(attempt.events).records if "oom_kills" in r),
        None,
    )
    now = observing.out_of_memory_kills()
    return now - before if before is not None else 0


def _tail(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return os.pread(file.fileno(), reasons.TAIL_BYTES, max(0, size - reasons.TAIL_BYTES))
    except OSError:
        return b""


def _history(run: RunFolder, before: int) -> List[retry.Ended]:
    found: List[retry.Ended] = []
    for number in run.attempts():
        attempt = run.attempt(number)
        record, ended = closed(attempt), files.read_json(attempt.exit)
        if number < before and record is not None and ended is not None:
            found.append(_as_ended(run, attempt, str(record["reason"]), ended))
    return found


def _as_ended(
    run: RunFolder, attempt: AttemptFolder, reason: str, ended: Dict[str, Any]
) -> retry.Ended:
    plan = launch.read(run, attempt.number)
    return retry.Ended(
        reason=reason,
        seconds=float(ended["ended"]) - float(ended["started"]),
        saved=any(r["event"] == "checkpoint" for r in events.read(attempt.checkpoints).records),
        automatic=plan is not None and plan.automatic,
    )
