"""Start waiter and agent as processes of their own, which outlive whoever starts them."""

from __future__ import annotations

import os
import sys
from typing import Dict, List, Set

from trainctl.kit import process
from trainctl.kit.names import RunFolder

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")


def waiter_command(python: str, kit: str, run: RunFolder, attempt: int) -> List[str]:
    return [python, "-I", "-S", kit, "wait", run.path, str(attempt)]


def agent_command(python: str, kit: str, run: RunFolder) -> List[str]:
    return [python, "-I", "-S", kit, "watch", run.path]


def start(command: List[str], run: RunFolder) -> int:
    """Start a supervisor detached: own session, no terminal, errors into the run's agent.log.

    Its environment is small and carries no run's mark: it must not be taken for a trainer, also
    when the one who starts it is itself part of a run. Returns the pid.
    """
    _reap()
    environment = supervisor_environment(run)
    log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, run.agent_log, log, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inherited()),
    ]
    try:
        pid = os.posix_spawn(
            command[0], command, environment, file_actions=actions, setsid=True, setsigmask=[]
        )
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        import subprocess

        with open(os.devnull) as null, open(run.agent_log, "ab") as errors:
            started = subprocess.Popen(
                command,
                env=environment,
                stdin=null,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        started.returncode = 0  # it is nobody's child to wait for
        pid = started.pid
    _started.add(pid)
    return pid


_started: Set[int] = set()


def _reap() -> None:
    """Take leave of those that have ended: a program that starts many runs keeps no zombies."""
    for pid in list(_started):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            ended = True
        if ended:
            _started.discard(pid)


def _inherited() -> List[int]:
    """What a child would inherit beyond the usual three: another run's card, a caller's lock."""
    found: List[int] = []
    names = os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else []
    for name in names:
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # the one that the listing itself had open
            pass
    return found


def supervisor_environment(run: RunFolder) -> Dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, process.SUPERVISOR_MARK: run.path}


def this_kit() -> str:
    """The zip that this very supervisor was started from."""
    return os.path.abspath(sys.argv[0])
