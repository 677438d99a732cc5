"""Keep a run's checkpoints while it goes on: hash, copy, send and prune, in the background.

Two threads do it, one that reads this disk and one that talks to the store, so that a slow store
holds up no manifest. All they know stands in checkpoints.jsonl: killed, they go on from there.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, List, Mapping, Optional

from trainctl.kit import candidates, events, launch, manifest
from trainctl.kit.checkpoints import Found
from trainctl.kit.manifest import Manifest
from trainctl.kit.names import RunFolder
from trainctl.supervisor.copying import Copier
from trainctl.supervisor.ledger import Ledger, Version
from trainctl.supervisor.pacing import Pacer
from trainctl.supervisor.pruning import Pruner
from trainctl.supervisor.sending import Sender
from trainctl.supervisor.verifying import Verifier
from trainctl.supervisor.working import Worker

HASH_SECONDS = 120.0  # after a trainer's end, for what was not hashed yet
SEND_SECONDS = 600.0  # after the last one's end, for what was not sent yet
LAST_TRIES = 2  # each of them asks an S3 service for half a minute
ENOUGH = 2  # verified checkpoints that no save overwrites: then nothing needs a copy
KEPT_BYTES = 20_000_000_000
_JOIN_SECONDS = 1.0
_POLL_SECONDS = 0.1
_FULL_DISK_SECONDS = 5.0
_TOLD = 20  # paths, of those that were left


class Upkeep:
    """What `Keeper` promises, with its threads."""

    def __init__(self, run: RunFolder, job: Mapping[str, Any]) -> None:
        home = candidates.home_of(run)
        self._run = run
        self._manifests = home.manifests
        self._limit = int(job.get("kept_bytes", KEPT_BYTES))
        self._spare = float(job.get("disk_warn_bytes") or 0.0)
        self._pacer = Pacer()
        self.ledger = Ledger(run)
        self._verifier = Verifier(run, home, self.ledger, self._pacer, self._secure)
        self._copier = Copier(run, home, self.ledger, self._pacer)
        self._sender = Sender(run, job, home, self.ledger, self._pacer)
        self._pruner = Pruner(run, job, home, self.ledger, self._sender)
        self._hasher = Worker(self._hash_one)
        self._mover = Worker(self._move_one, self._sender.prepare)
        self._ended = False  # the trainer, and no other attempt follows

    def follow(self, attempt: int) -> None:
        """From now on it is this attempt whose checkpoints are seen."""
        self.ledger.attempt = attempt
        self._pacer.be_gentle()
        plan = launch.read(self._run, attempt)
        if plan is None or plan.resumed_from is None or attempt in self.ledger.parents:
            return
        parent = manifest.read(self._manifests, plan.resumed_from)
        if parent is not None:
            self._write("continues", {"path": plan.resumed_from, "id": parent.id})

    def look(self, complete: List[Found]) -> None:
        for found in complete:
            if not self._verifier.is_anothers(found.path):
                self._write("checkpoint", found._asdict(), durable=False)
        if self._verifier.pending() or self._to_copy() or self._gone():
            self._hasher.wake()
        if self._sender.due() or self._pruner.is_due():
            self._mover.wake()

    def finish(self, wanted: Callable[[], bool], *, last: bool) -> None:
        """Full speed, until all is done, or its time is over, or nobody wants it any more."""
        self._pacer.hurry()
        self._ended = last
        self._hasher.wake()
        self._wait(HASH_SECONDS, wanted, self._is_hashed if last else self._newest_is_hashed)
        if not last:
            return
        self._sender.hurry()
        self._pruner.hurry()
        self._mover.wake()
        self._wait(SEND_SECONDS, wanted, self._is_sent)
        self._pacer.stop()
        self._hasher.stop(_JOIN_SECONDS)
        self._mover.stop(_JOIN_SECONDS)
        self._release_twins()
        self._tell_what_is_left()

    def _wait(self, seconds: float, wanted: Callable[[], bool], done: Callable[[], bool]) -> None:
        give_up = time.monotonic() + seconds
        while not done() and wanted() and time.monotonic() < give_up:
            time.sleep(_POLL_SECONDS)

    def _is_hashed(self) -> bool:
        return self._hasher.is_idle and not self._verifier.pending()

    def _newest_is_hashed(self) -> bool:
        newest = next((one for one in reversed(self.ledger.all()) if not one.is_over), None)
        return newest is None or newest not in self._verifier.pending()

    def _is_sent(self) -> bool:
        given_up = self._sender.failures >= LAST_TRIES
        return given_up or (self._mover.is_idle and not self._sender.due(at_the_end=True))

    def _hash_one(self) -> Optional[float]:
        """The next piece of work on this disk: a copy of the newest before older manifests."""
        try:
            for version in self._gone():
                self.ledger.let_go(version, self._manifests)
            for version in self._to_copy():
                made = manifest.read(self._manifests, version.path)
                if made is None or made.id != version.id:
                    self.ledger.let_go(version, self._manifests)
                else:
                    self._copy(version, made)
            version = self._verifier.newest_due()
            if version is None:
                return self._verifier.wait_seconds()
            self._verifier.verify(version)
        except OSError:
            return _FULL_DISK_SECONDS
        if version.id is not None:
            self._mover.wake()
        return 0.0

    def _move_one(self) -> Optional[float]:
        """The next piece of work with the store, then what no rule keeps."""
        due = self._sender.due(at_the_end=self._ended)
        try:
            if due and not self._sender.wait_seconds():
                self._send(due[0])
                return 0.0
            if self._pruner.is_due():
                self._pruner.prune()
        except OSError:
            return _FULL_DISK_SECONDS
        return self._sender.wait_seconds() if due else None

    def _send(self, version: Version) -> None:
        self._sender.send(version)
        self._release_sent(version)

    def _release_sent(self, version: Version) -> None:
        """The store holds it. Whichever comes second, the copy or the push, sees the other."""
        if version.key is not None and version.copy is not None:
            self._copier.release(version.copy)

    def _secure(self, version: Version, made: Manifest) -> None:
        """Before it is called verified: a copy, where the next save would take it."""
        if self._needs_copy(version):
            self._copy(version, made)

    def _copy(self, version: Version, made: Manifest) -> None:
        self._copier.keep(version, made, self._limit, self._spare)
        self._release_sent(version)

    def _to_copy(self) -> List[Version]:
        """What could do without a copy when it was hashed, and cannot now."""
        return [one for one in self.ledger.all() if one.is_told and self._needs_copy(one)]

    def _needs_copy(self, version: Version) -> bool:
        """Whether the next save would take it, and little else could be restored."""
        if self._ended or not self._limit or not self.ledger.is_overwritten(version):
            return False
        if version.is_over or version.copy or version.key or version.declined:
            return False
        if self._sender.will_have(version):
            return False
        there = [one for one in self.ledger.all() if one.is_told and not one.is_over]
        return sum(not self.ledger.is_overwritten(one) for one in there) < ENOUGH

    def _gone(self) -> List[Version]:
        """What is not at its path any more, and has a manifest there."""
        return [
            one
            for one in self.ledger.all()
            if one.id is not None and not (one.is_over or os.path.lexists(one.path))
        ]

    def _release_twins(self) -> None:
        """Nobody overwrites anything now: a copy of what is there itself is of no use."""
        for version in self.ledger.all():
            if version.copy is not None and version.is_there():
                try:
                    self._copier.release(version.copy)
                except OSError:
                    return

    def _write(self, event: str, fields: Dict[str, Any], *, durable: bool = True) -> None:
        try:
            self.ledger.write(event, fields, durable=durable)
        except OSError:  # a full disk: seen again the next time
            pass

    def _tell_what_is_left(self) -> None:
        """In the attempt's own events, where `show` finds it."""
        unhashed = [one.path for one in self._verifier.pending()]
        unsent = [one.path for one in self._sender.due(at_the_end=True)]
        told = [f"{len(unhashed)} not hashed"] if unhashed else []
        told += [f"{len(unsent)} not sent to the store"] if unsent else []
        if told:
            fields = {"unhashed": unhashed[:_TOLD], "unsent": unsent[:_TOLD]}
            log = self._run.attempt(self.ledger.attempt).events
            try:
                events.append(log, "unfinished", {"evidence": ", ".join(told), **fields})
            except OSError:
                pass
