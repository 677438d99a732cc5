"""The waiter: owns one attempt's trainer from its start to the end of its last descendant.

It claims the attempt, waits for what the trainer needs, starts it, waits, writes how it ended,
and ends what is left. It does nothing else, so that nothing kills it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, Dict, Optional

from trainctl.kit import files, launch, locks, process, spawn
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import cards, descendants, ending

CLAIMED_BY_ANOTHER = 75
LOCK_SECONDS = 10.0
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE)


class NotStartedError(Exception):
    """The trainer was never started: the reason and the evidence of the attempt's end."""

    def __init__(self, reason: str, evidence: str) -> None:
        super().__init__(evidence)
        self.reason = reason
        self.evidence = evidence


def main(run_path: str, number: int) -> int:
    run = RunFolder(run_path)
    _detach()
    # Held until the last descendant has ended; until it is a program of its own, the trainer
    # holds it too, so that whoever finds it free finds the trainer by its mark.
    with locks.Lock(run.waiter_lock) as lock:
        if not lock.take(patience=LOCK_SECONDS):
            return CLAIMED_BY_ANOTHER
        plan = launch.read(run, number)
        if plan is None:
            _say(f"{run.launch(number)} cannot be read: nothing was started")
            return 1
        try:
            if not _claim(run.attempt(number)):
                return CLAIMED_BY_ANOTHER
        except OSError as error:
            _say(f"{error.filename or run.path}: {error.strerror}")
            return 1
        _attend(run, run.attempt(number), plan)
    _hand_over(run)
    return 0


def _detach() -> None:
    try:
        os.setsid()
    except PermissionError:  # we lead a session already
        pass
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    descendants.adopt_orphans()


def _say(text: str) -> None:
    try:
        os.write(2, f"{text}\n".encode())
    except OSError:  # the disk that is full is where this goes, too
        pass


def _claim(attempt: AttemptFolder) -> bool:
    """Whether the attempt is ours now. Raises OSError, with nothing claimed, on a full disk."""
    try:
        os.mkdir(attempt.path, 0o700)
    except FileExistsError:
        return False
    try:
        _note(attempt, time.time(), None, [])
    except OSError:
        files.remove(attempt.pid)
        os.rmdir(attempt.path)
        raise
    ending.reserve(attempt)
    return True


def _attend(run: RunFolder, attempt: AttemptFolder, plan: launch.Launch) -> None:
    """From the wait for what it needs to the end of its last descendant."""
    held: cards.Held = {}
    asked = time.time()
    try:
        record = _train(run, attempt, plan, held)
    except NotStartedError as error:
        record = _ended(asked, reason=error.reason, evidence=error.evidence)
    ending.write(attempt, record)
    descendants.end_all(run.path, attempt.number)
    cards.free(held)


def _train(
    run: RunFolder, attempt: AttemptFolder, plan: launch.Launch, held: cards.Held
) -> Dict[str, Any]:
    try:
        environment = launch.read_environment(run)
        refusal = cards.claim(run, attempt, plan, held)
    except OSError as error:
        what = f"{error.filename or run.path}: {error.strerror}"
        raise NotStartedError("setup_failed", what) from error
    if refusal is not None:
        raise NotStartedError(*refusal)
    environment.update(plan.variables)
    environment.update(cards.variables(held))
    started = time.time()
    pid, master = _start(attempt, plan, environment)
    try:
        _note(attempt, started, process.identity(pid, reaped=False), cards.names(held))
        if master is not None:
            from trainctl.supervisor import terminal

            terminal.pump(master, attempt.log, pid)
    except OSError as error:  # the trainer carries our mark, so that it is found without this too
        _say(f"{error.filename or attempt.path}: {error.strerror}")
    return _wait_for(pid, started)


def _start(
    attempt: AttemptFolder, plan: launch.Launch, environment: Dict[str, str]
) -> tuple[int, Optional[int]]:
    """The trainer's pid, and the master side of its terminal if it has one.

    Its output goes to the log itself, never through us: killing the waiter cannot kill it.
    """
    master, name = _terminal() if plan.tty else (None, "")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if master is None:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, attempt.log, flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
    else:
        os.close(os.open(attempt.log, flags, 0o600))
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),  # opening it makes it the terminal
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
    own: Dict[str, Any] = {"setpgroup": 0} if master is None else {"setsid": True}
    try:
        os.chdir(plan.cwd)
        program = _find(plan.command[0], environment)
        pid = os.posix_spawn(
            program,
            plan.command,
            environment,
            file_actions=actions,
            setsigmask=[],
            setsigdef=_all_signals(),
            **own,
        )
    except OSError as error:
        if master is not None:
            os.close(master)
        what = f"{error.filename or plan.command[0]}: {error.strerror}"
        raise NotStartedError("setup_failed", what) from error
    finally:
        os.chdir("/")
    return pid, master


def _terminal() -> tuple[int, str]:
    from trainctl.supervisor import terminal  # few scripts want one

    return terminal.open_pair()


def _find(program: str, environment: Dict[str, str]) -> str:
    if os.sep in program:
        return program
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(2, "no such program on PATH")


def _all_signals() -> list[int]:
    fixed = (signal.SIGKILL, signal.SIGSTOP)
    return [int(number) for number in signal.Signals if number not in fixed]


def _wait_for(pid: int, started: float) -> Dict[str, Any]:
    """Reap until the trainer itself has ended; orphans that end meanwhile are reaped too."""
    while True:
        reaped, status, used = os.wait4(-1, 0)
        if reaped == pid:
            break
    signalled = os.WIFSIGNALED(status)
    return _ended(
        started,
        code=None if signalled else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if signalled else None,
        max_rss_bytes=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        cpu_seconds=round(used.ru_utime + used.ru_stime, 3),
    )


def _ended(started: float, **how: Any) -> Dict[str, Any]:
    return {"code": None, "signal": None, **how, "started": started, "ended": time.time()}


def _note(
    attempt: AttemptFolder, started: float, trainer: Optional[process.Identity], gpus: list[str]
) -> None:
    me = process.identity(os.getpid())
    record = {
        "waiter": me.to_json() if me else None,
        "trainer": trainer.to_json() if trainer else None,
        "gpus": gpus,
        "started": started,
    }
    files.write_json(attempt.pid, record)


def _hand_over(run: RunFolder) -> None:
    """Become the agent where none is alive, so that the end is judged also when it was killed."""
    if not os.path.isdir(run.path) or locks.is_taken(run.agent_lock):
        return
    command = spawn.agent_command(sys.executable, spawn.this_kit(), run)
    os.execve(sys.executable, command, spawn.supervisor_environment(run))
