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

from trainctl.kit import files, launch, process, spawn
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import cards, descendants, terminal

CLAIMED_BY_ANOTHER = 75
_RESERVE = 16 * 1024
_RETRY_SECONDS = 1.0
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE)


class NotStarted(Exception):
    """The trainer was never started: the reason and the evidence of the attempt's end."""

    def __init__(self, reason: str, evidence: str) -> None:
        super().__init__(evidence)
        self.reason = reason
        self.evidence = evidence


def main(run_path: str, number: int) -> int:
    run = RunFolder(run_path)
    attempt = run.attempt(number)
    _detach()
    plan = launch.read(run, number)
    if plan is None:
        sys.stderr.write(f"{run.launch(number)} cannot be read: nothing was started\n")
        return 1
    try:
        os.mkdir(attempt.path, 0o700)
    except FileExistsError:
        return CLAIMED_BY_ANOTHER
    started = time.time()
    _note(attempt, started, None, [])
    _reserve(attempt)
    try:
        record = _run(run, attempt, plan, started)
    except NotStarted as error:
        record = _ended(started, reason=error.reason, evidence=error.evidence)
    _write_exit(attempt, record)
    descendants.end_all(run.path)
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


def _run(
    run: RunFolder, attempt: AttemptFolder, plan: launch.Launch, started: float
) -> Dict[str, Any]:
    environment = launch.read_environment(run)
    with cards.claim(run, attempt, plan) as claimed:
        if claimed.refusal is not None:
            raise NotStarted(*claimed.refusal)
        environment.update(plan.variables)
        environment.update(claimed.variables)
        pid, master = _start(attempt, plan, environment)
        _note(attempt, started, process.identity(pid), claimed.names)
        if master is not None:
            terminal.pump(master, attempt.log, pid)
        return _wait_for(pid, started)


def _start(
    attempt: AttemptFolder, plan: launch.Launch, environment: Dict[str, str]
) -> tuple[int, Optional[int]]:
    """The trainer's pid, and the master side of its terminal if it has one.

    Its output goes to the log itself, never through us: killing the waiter cannot kill it.
    """
    master, name = terminal.open_pair() if plan.tty else (None, "")
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
        raise NotStarted("setup_failed", f"{plan.command[0]}: {error.strerror}") from error
    finally:
        os.chdir("/")
    return pid, master


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
    try:
        files.write_json(attempt.pid, record)
    except OSError as error:  # the trainer carries our mark, so that it is found without this too
        sys.stderr.write(f"{attempt.pid}: {error}\n")


def _reserve(attempt: AttemptFolder) -> None:
    """Hold disk space, so that the end can be written on a disk that the trainer has filled."""
    try:
        files.write_atomic(os.path.join(attempt.path, "exit.reserve"), b"\0" * _RESERVE)
    except OSError:
        pass


def _write_exit(attempt: AttemptFolder, record: Dict[str, Any]) -> None:
    """Write how it ended, however long the disk refuses; given up only with the folder itself."""
    while os.path.isdir(attempt.path):
        files.remove(os.path.join(attempt.path, "exit.reserve"))
        try:
            files.write_json(attempt.exit, record, once=True)
        except FileExistsError:
            return
        except OSError:
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _hand_over(run: RunFolder) -> None:
    """Become the agent where none is alive, so that the end is judged also when it was killed."""
    from trainctl.kit import locks

    if not os.path.isdir(run.path) or locks.is_taken(run.agent_lock):
        return
    command = spawn.agent_command(sys.executable, spawn.this_kit(), run)
    os.execve(sys.executable, command, spawn.supervisor_environment(run))
