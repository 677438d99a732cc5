"""Remove by itself what no rule keeps, on this disk and in the store, and say what and why."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping

from trainctl.kit import diverging, guards, removing, retention
from trainctl.kit.names import Home, RunFolder
from trainctl.kit.retention import Kept
from trainctl.kit.stores.protocol import StoreError
from trainctl.supervisor.ledger import Ledger, Version
from trainctl.supervisor.sending import Sender

PAUSE_SECONDS = 60.0
_SPARED = 2  # the last two verified stay anyway
_NAMED = 12  # metrics that a message names
SHARE = 100  # a look that takes a second is made every hundred seconds at most


class Pruner:
    """Looks at its own pace, however often it is asked; without a rule, never."""

    def __init__(
        self, run: RunFolder, job: Mapping[str, Any], home: Home, ledger: Ledger, sender: Sender
    ) -> None:
        self._run = run
        self._home = home
        self._ledger = ledger
        self._sender = sender
        self._policy = retention.policy_of(job.get("retention"))
        self._why = f"no rule keeps it ({retention.told(self._policy)})"
        self._not_before = 0.0
        self._failed = ""
        self._unmeasured = False

    def is_due(self) -> bool:
        return not self._policy.says_nothing and time.monotonic() >= self._not_before

    def hurry(self) -> None:
        """Let the next look be now."""
        self._not_before = 0.0

    def prune(self) -> None:
        """Here, then in the store. What fails is said, once, and tried again the next time."""
        began = time.monotonic()
        nan_from = self._divergences()
        try:
            self._prune_here(nan_from)
            if self._sender.works:
                self._prune_store(nan_from)
        except (OSError, StoreError) as error:
            why = f"{type(error).__name__}: {error}"[:500]
            if why != self._failed:
                self._failed = why
                self._ledger.write("prune_failed", {"why": why})
        took = time.monotonic() - began
        self._not_before = time.monotonic() + max(PAUSE_SECONDS, took * SHARE)

    def _prune_here(self, nan_from: Mapping[int, int]) -> None:
        there = {one.path: one for one in self._ledger.all() if one.is_there()}
        for folder in sorted({os.path.dirname(path) for path in there}):
            removing.sweep(folder)
        named = guards.by_name(self._home, list(there))
        wanted = self._sender.wanted()
        for path, one in there.items():
            if one.id is None:
                named[path].append("not hashed yet")
            elif one.key is None and wanted(one):
                named[path].append("not sent yet")
        found = [self._kept(one, named[path], nan_from) for path, one in there.items()]
        self._say_unmeasured(found)
        reasons = retention.reasons_to_keep(found, self._policy, time.time())
        doomed = [path for path in there if not reasons[path]]
        for path in doomed:  # asked again for each: removing those before it took its time
            if not guards.on(self._home, path):
                self._remove(there[path])

    def _kept(self, one: Version, held: List[str], nan_from: Mapping[int, int]) -> Kept:
        found = one.found
        passing = self._ledger.is_overwritten(one)
        return Kept(
            key=one.path,
            made=found.mtime,
            size=found.size,
            step=found.step,
            attempt=one.attempt,
            metrics=one.metrics,
            content=one.id,
            verified=one.id is not None,
            diverged=retention.has_diverged(one.metrics, found.step, nan_from.get(one.attempt)),
            copy=passing,
            held=[*held, retention.PASSING] if passing else held,
        )

    def _remove(self, version: Version) -> None:
        """Said first, so that it is known also where we are killed in between."""
        found = version.found
        told = {"path": found.path, "id": version.id, "step": found.step, "size": found.size}
        self._say(told, found.path)
        try:
            removing.remove(self._home.manifests, found)
        except removing.ChangedError:
            pass
        self._ledger.let_go(version, self._home.manifests)

    def _prune_store(self, nan_from: Mapping[int, int]) -> None:
        from trainctl.kit.stores import retaining, shelf

        store = self._sender.store()
        found = retaining.kept_in(store, self._run.name, nan_from)
        reasons = retention.reasons_to_keep(found, self._policy, time.time())
        for one in found:
            if not reasons[one.key] and not shelf.is_pinned(store, one.key):
                told = {"key": one.key, "id": one.content, "step": one.step, "size": one.size}
                self._say(told, one.key)
                shelf.discard(store, one.key)

    def _say_unmeasured(self, found: List[Kept]) -> None:
        """Once, and only where there is so much that the rule would have had to choose."""
        rule = retention.unmeasured(found, self._policy)
        if rule is None or self._unmeasured or len(found) <= rule.many + _SPARED:
            return
        self._unmeasured = True
        known = ", ".join(sorted({name for one in found for name in one.metrics})[:_NAMED])
        why = f"no checkpoint here has {rule.metric}"
        why += f"; they have {known}" if known else ", nor any other metric"
        alone = self._policy._replace(keep_best=None).says_nothing
        why += ": nothing is removed" if alone else ": keep_best keeps none"
        self._ledger.write("prune_failed", {"why": why})

    def _say(self, told: Dict[str, Any], key: str) -> None:
        if (key, told["id"]) not in self._ledger.pruned:
            self._ledger.write("pruned", {**told, "why": self._why})

    def _divergences(self) -> Dict[int, int]:
        """By attempt, the step from which on its loss is no number."""
        numbers = sorted({one.attempt for one in self._ledger.all()})
        seen = ((number, diverging.in_attempt(self._run, number)) for number in numbers)
        return {number: found.step for number, found in seen if found is not None}
