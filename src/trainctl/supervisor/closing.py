"""Close an attempt: see its last checkpoints, say why it ended, decide what follows."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional

from trainctl.kit import events, files, launch, process, reasons, retry
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import observing, stopping


def closed(attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    """The attempt's closing record; None while it has none."""
    for record in reversed(events.read(attempt.events).records):
        if record["event"] == "closed":
            return record
    return None


def write_missing_exit(
    attempt: AttemptFolder,
    waiter: Optional[process.Identity],
    trainer: Optional[process.Identity],
) -> None:
    """Say what can be said of an attempt whose waiter died before it could write the end."""
    who = waiter or trainer
    if who is not None and who.boot != process.boot_id():
        reason, evidence = "host_lost", "the machine was started anew while it ran"
    elif trainer is None:
        reason, evidence = "setup_failed", "the waiter was killed before the trainer started"
    else:
        reason, evidence = "unknown_exit", "the waiter was killed, so nobody saw the exit status"
    pid = files.read_json(attempt.pid) or {}
    record = {
        "code": None,
        "signal": None,
        "reason": reason,
        "evidence": evidence,
        "started": pid.get("started", time.time()),
        "ended": _last_sign_of_life(attempt),
    }
    try:
        files.write_json(attempt.exit, record, once=True)
    except FileExistsError:
        pass


def _last_sign_of_life(attempt: AttemptFolder) -> float:
    times = [os.path.getmtime(p) for p in (attempt.log, attempt.system) if os.path.exists(p)]
    return max(times, default=time.time())


def close(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    """Append the closing record; None where the run folder was deleted meanwhile."""
    ended = files.read_json(attempt.exit)
    if ended is None:
        return None
    observing.note_checkpoints(job, attempt, writers_alive=False)
    end = reasons.classify(ended, _tail(attempt.log), _stop_obeyed(run, attempt), _kills(attempt))
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
    return _append(run, attempt, record)


def _append(
    run: RunFolder, attempt: AttemptFolder, record: Dict[str, Any]
) -> Optional[Dict[str, Any]]:
    """However long the disk refuses: without this record the run would never be seen to end."""
    while os.path.isdir(attempt.path):
        try:
            written = events.append(attempt.events, "closed", record)
        except OSError:
            time.sleep(1)
            continue
        if record["next"] is None:
            files.remove(run.secrets)
        return written
    return None


def _stop_obeyed(run: RunFolder, attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    for record in events.read(attempt.events).records:
        if record["event"] == "stopping":
            return record
    return stopping.asked_to_stop(run, attempt)


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
        saved=bool(events.read(attempt.checkpoints).records),
        automatic=plan is not None and plan.automatic,
    )
