"""Give each complete checkpoint its manifest while the run goes on."""

from __future__ import annotations

import os
import time
from typing import Callable, List, Optional

from trainctl.kit import checkpoints, manifest, measures, opened, process
from trainctl.kit.manifest import About, ChangedError, Manifest
from trainctl.kit.names import Home, RunFolder
from trainctl.supervisor.ledger import Ledger, Version
from trainctl.supervisor.pacing import Pacer

QUIET_SECONDS = 0.1  # the kernel stamps files by a coarse clock: a write after this shows
LATER_SECONDS = 1.0
TRIES = 5  # for what cannot be read


Secure = Callable[[Version, Manifest], None]  # see to it that it outlives the next save


class Verifier:
    """Reads what the ledger holds as seen, newest first, and files manifests for it."""

    def __init__(
        self, run: RunFolder, home: Home, ledger: Ledger, pacer: Pacer, secure: Secure
    ) -> None:
        self._secure = secure
        self._run = run
        self._manifests = home.manifests
        self._ledger = ledger
        self._pacer = pacer

    def pending(self) -> List[Version]:
        """Newest first; without what cannot be read."""
        return [
            one
            for one in reversed(self._ledger.all())
            if not (one.is_told or one.is_over) and one.failures < TRIES
        ]

    def wait_seconds(self) -> Optional[float]:
        """Until one of them may be hashed; None where there is none."""
        dues = [one.due for one in self.pending()]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def newest_due(self) -> Optional[Version]:
        now = time.monotonic()
        return next((one for one in self.pending() if one.due <= now), None)

    def verify(self, version: Version) -> None:
        """Hash it unless it was written to meanwhile or somebody may: then it comes later.

        Raises StoppedError; OSError where the state folder cannot be written.
        """
        found = checkpoints.look(version.path)
        if found != version.found:
            self._ledger.let_go(version, self._manifests)
        elif not self._is_quiet(version):
            version.due = time.monotonic() + LATER_SECONDS
        elif self.is_anothers(version.path):
            self._ledger.leave(version)
        else:
            made = self._filed(version) or self._made(version)
            if made is not None:
                self._secure(version, made)
                self._tell(version, made)

    def is_anothers(self, path: str) -> bool:
        """Whether another run has it hashed as its own: two may write into one folder."""
        there = manifest.read(self._manifests, path)
        if there is None or there.about.run in {None, self._run.name}:
            return False
        return manifest.stands(there, path)

    def _is_quiet(self, version: Version) -> bool:
        if abs(time.time() - version.found.mtime) < QUIET_SECONDS:
            time.sleep(QUIET_SECONDS)
        writing = opened.by(process.marked(self._run.path), writing=True)
        return opened.touches(writing, os.path.realpath(version.path)) is None

    def _filed(self, version: Version) -> Optional[Manifest]:
        """What an agent that was killed, or a command, has filed for this content already."""
        there = manifest.read(self._manifests, version.path)
        if there is None or not manifest.stands(there, version.path):
            return None
        if (there.about.run, there.about.attempt) == (self._run.name, version.attempt):
            return there
        return there._replace(about=self._about(version))

    def _made(self, version: Version) -> Optional[Manifest]:
        try:
            return manifest.make(version.path, self._about(version), self._pacer)
        except ChangedError:
            self._ledger.leave(version)
        except OSError as error:
            self._fail(version, error)
        return None

    def _about(self, version: Version) -> About:
        found = version.found
        log = self._run.attempt(version.attempt).metrics
        metrics = {
            **measures.at(log, found.step),
            **(measures.in_folder(found.path) if found.is_dir else {}),
            **measures.in_name(os.path.basename(found.path)),
        }
        parent = self._ledger.parents.get(version.attempt)
        return About(self._run.name, version.attempt, found.step, metrics, parent)

    def _fail(self, version: Version, error: OSError) -> None:
        """Gone while it was read, or unreadable; said once it is given up."""
        version.failures += 1
        version.due = time.monotonic() + LATER_SECONDS
        if not os.path.lexists(version.path):
            self._ledger.let_go(version, self._manifests)
        elif version.failures == TRIES:
            why = f"{error.filename or version.path}: {error.strerror or error}"
            self._ledger.write("unverified", {"path": version.path, "why": why})

    def _tell(self, version: Version, made: Manifest) -> None:
        """Last of all: what is called verified can be restored from then on."""
        if version.is_over and version.copy is None:  # overwritten meanwhile
            return
        if not version.is_over and made != manifest.read(self._manifests, version.path):
            manifest.write(self._manifests, made)
        told = {"id": made.id, "step": made.about.step, "metrics": made.about.metrics}
        self._ledger.write("verified", {**version.named(), **told})
