"""The run folder's names: the one place that spells them."""

from __future__ import annotations

import os


class AttemptFolder:
    """`attempt-N/`: one trainer's life, written on the host only. Who makes the folder owns it."""

    def __init__(self, run: str, number: int) -> None:
        self.number = number
        self.path = os.path.join(run, f"attempt-{number}")
        self.pid = os.path.join(self.path, "pid.json")
        self.exit = os.path.join(self.path, "exit.json")
        self.log = os.path.join(self.path, "output.log")
        self.events = os.path.join(self.path, "events.jsonl")
        self.metrics = os.path.join(self.path, "metrics.jsonl")
        self.system = os.path.join(self.path, "system.jsonl")
        self.checkpoints = os.path.join(self.path, "checkpoints.jsonl")
        self.ranks = os.path.join(self.path, "ranks")


class RunFolder:
    """`runs/<run>/`: the contract between controller and supervisor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.job = os.path.join(path, "job.json")
        self.code = os.path.join(path, "code.json")
        self.diff = os.path.join(path, "code.diff")
        self.snapshot = os.path.join(path, "code")
        self.secrets = os.path.join(path, "secrets.env")
        self.events = os.path.join(path, "run.jsonl")
        self.requests = os.path.join(path, "requests")
        self.lock = os.path.join(path, "run.lock")
        self.waiter_lock = os.path.join(path, "waiter.lock")
        self.agent_lock = os.path.join(path, "agent.lock")
        self.agent_log = os.path.join(path, "agent.log")
        self.checkpoints = os.path.join(path, "checkpoints")
        self.kept = os.path.join(path, "kept")
        self.begun = os.path.join(path, "begun")  # pulled for it to begin with; not its own

    def attempt(self, number: int) -> AttemptFolder:
        return AttemptFolder(self.path, number)

    def launch(self, number: int) -> str:
        """What the waiter of an attempt is told to start; without the environment's values."""
        return os.path.join(self.path, f"launch-{number}.json")

    def attempts(self) -> list[int]:
        """The numbers of all attempts that were claimed, in order."""
        try:
            names = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = [name[8:] for name in names if name.startswith("attempt-")]
        return sorted(int(number) for number in found if number.isdigit())


class Home:
    """The state folder, `~/.trainctl` unless TRAINCTL_HOME says otherwise."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.runs = os.path.join(path, "runs")
        self.index = os.path.join(path, "index.db")
        self.kits = os.path.join(path, "kits")
        self.locks = os.path.join(path, "locks")
        self.manifests = os.path.join(path, "manifests")
        self.pins = os.path.join(path, "pins")
        self.heirs = os.path.join(path, "heirs")  # by file name: who went on from a checkpoint
        self.catalogue = os.path.join(path, "catalogue")  # a cache: may be removed at any time

    def run(self, name: str) -> RunFolder:
        return RunFolder(os.path.join(self.runs, name))
