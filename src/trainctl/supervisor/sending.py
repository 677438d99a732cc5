"""Send verified checkpoints to the run's store, newest first, while the run goes on."""

from __future__ import annotations

import math
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from trainctl.kit import launch, manifest, retention
from trainctl.kit.names import Home, RunFolder
from trainctl.kit.stores.protocol import Store, StoreError
from trainctl.supervisor.ledger import Ledger, Version
from trainctl.supervisor.pacing import Pacer

THREADS = 2
SOON_SECONDS, LATE_SECONDS = 5.0, 300.0  # between tries, doubled from the one to the other
HURRIED_SECONDS = 1.0
USUAL_MEASURES = ("val_loss", "eval_loss", "loss")  # what best means where no rule says it


class Sender:
    """Pushes what the job asks for. A store that fails is asked again, ever more rarely."""

    def __init__(
        self, run: RunFolder, job: Mapping[str, Any], home: Home, ledger: Ledger, pacer: Pacer
    ) -> None:
        self._run = run
        self._manifests = home.manifests
        self._ledger = ledger
        self._pacer = pacer
        self._where: Optional[Dict[str, str]] = job.get("store")
        self._policy = str(job.get("push", "all")) if self._where else "off"
        self._best = retention.policy_of(job.get("retention")).keep_best
        self._store: Optional[Store] = None
        self._said: Set[str] = set()
        self._pause = SOON_SECONDS
        self._not_before = 0.0
        self.restless: Set[str] = set()  # paths that were overwritten while they were sent
        self.works = False  # whether the last push did
        self.failures = 0  # since the last one that did

    @property
    def is_on(self) -> bool:
        return self._policy != "off"

    def wanted(self) -> Callable[[Version], bool]:
        """Whether the policy asks for this one, sent or not: by what is known now."""
        if self._policy == "best":
            best = self._best_version()
            return lambda version: version is best
        if self._policy.startswith("every "):
            every = int(self._policy[len("every ") :])
            return lambda version: version.number % every == 0
        return lambda _: self.is_on

    def will_have(self, version: Version) -> bool:
        """Whether the store may be counted on to hold it before the next save."""
        return self.works and version.path not in self.restless and self.wanted()(version)

    def due(self, *, at_the_end: bool = False) -> List[Version]:
        """What is to be sent, newest first; at the end the newest anyhow, unless best is asked."""
        if not self.is_on:
            return []
        there = [one for one in reversed(self._ledger.all()) if one.id is not None]
        newest = there[:1] if at_the_end and self._policy != "best" else []
        wanted = self.wanted()
        return [
            one
            for one in there
            if one.key is None
            and (one.copy is not None or not one.is_over)
            and (one in newest or wanted(one))
        ]

    def wait_seconds(self) -> float:
        """How long the store is to be left alone after it failed."""
        return max(0.0, self._not_before - time.monotonic())

    def hurry(self) -> None:
        """The run is about to end: ask at once, however often it failed."""
        self._pause, self._not_before, self.failures = HURRIED_SECONDS, 0.0, 0

    def send(self, version: Version) -> bool:
        """Whether it is in the store now, or is no more to be sent. Raises StoppedError."""
        made = manifest.read(self._manifests, version.copy or version.path)
        if made is None or made.id != version.id or not manifest.stands(made, made.path):
            self._lose(version)
            return True
        try:
            from trainctl.kit.stores import shelf

            sent = shelf.push(self.store(), made, progress=self._pacer, threads=THREADS)
        except (StoreError, OSError, ValueError) as error:
            if not manifest.stands(made, made.path):
                self._lose(version)
                return True
            self._fail(version, error)
            return False
        told = {"path": version.path, "id": made.id, "key": sent.key, "size": sent.size}
        self._ledger.write("pushed", told)
        self._pause, self.works, self.failures = SOON_SECONDS, True, 0
        self._said.clear()
        return True

    def prepare(self) -> None:
        """Import what sending takes while the thread still has its turn.

        Afterwards a busy trainer leaves it so little time that whoever waits for the interpreter,
        the agent itself, would wait for seconds.
        """
        if not self.is_on:
            return
        try:
            from trainctl.kit.stores import retaining, shelf

            del retaining, shelf
            self.store()
        except (StoreError, OSError, ValueError):
            pass  # told when something is to be sent

    def store(self) -> Store:
        """Opened when it is first used, with the credentials that the trainer has as well."""
        if self._store is None:
            from trainctl.kit.stores.opening import open_store

            where = self._where or {}
            self._store = open_store(where["url"], where, self._credentials())
        return self._store

    def _credentials(self) -> Dict[str, str]:
        try:
            environment = launch.read_environment(self._run)
        except OSError:
            return {}
        names = [name for name in environment if name.startswith("AWS_") or name == "HOME"]
        return {name: environment[name] for name in names}

    def _lose(self, version: Version) -> None:
        """Its files are not any more what was hashed."""
        if version.copy is None:
            self.restless.add(version.path)
            self._ledger.let_go(version, self._manifests)
        else:
            self._ledger.write("released", {"copy": version.copy})

    def _fail(self, version: Version, error: Exception) -> None:
        """Said once for each kind of failure, until a push succeeds."""
        self.works, self._store = False, None  # so that new credentials are read
        self.failures += 1
        self._not_before = time.monotonic() + self._pause
        self._pause = min(LATE_SECONDS, self._pause * 2)
        kind = type(error).__name__
        if kind not in self._said:
            self._said.add(kind)
            why = f"{kind}: {error}"[:500]
            self._ledger.write("push_failed", {"path": version.path, "id": version.id, "why": why})

    def _best_version(self) -> Optional[Version]:
        """Where nothing is measured, the newest."""
        there = [one for one in reversed(self._ledger.all()) if one.id is not None]
        names = [self._best.metric] if self._best else USUAL_MEASURES
        for name in names:
            told = [one for one in there if math.isfinite(one.metrics.get(name, math.nan))]
            if told:
                sign = -1 if self._best is not None and not self._best.lowest else 1
                return min(told, key=lambda one: sign * one.metrics[name])
        return there[0] if there else None
