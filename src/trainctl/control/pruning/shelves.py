"""Prune in a store: of one run, or of each of them."""

from __future__ import annotations

import os

from trainctl.control import stores
from trainctl.control.checkpoints import Ground
from trainctl.control.pruning.plan import HeldError, Judged, Plan, judged
from trainctl.control.wiring import connect
from trainctl.errors import UsageError
from trainctl.kit.retention import Kept, Policy
from trainctl.kit.stores import retaining, shelf
from trainctl.kit.stores.walking import STAGING

_DEEPEST = 4  # folders of a folder store, from one of its files up


def folder_store(path: str) -> str | None:
    """The same path, where it is a folder store or lies in one, so that it is pruned as one."""
    above = path
    for _ in range(_DEEPEST):
        if os.path.isdir(os.path.join(above, STAGING)):
            return path
        above = os.path.dirname(above)
    return None


def of_store(where: Ground, url: str, policy: Policy, now: float) -> Plan:
    """Each run's checkpoints by themselves. Raises UsageError for what is no store or run of one.

    What was not pushed by trainctl is never seen here, and so never removed.
    """
    root, run = _split(url.rstrip("/"))
    if "/" in run:
        raise UsageError(
            f"{url} is no store, and no run in one",
            hint=f"trainctl checkpoint prune {root}/runs/{run.partition('/')[0]}",
        )
    with stores.told():
        store = stores.open_url(connect(where.cwd, where.environ), root)
        found = retaining.kept_in(store, run or None)
    groups: dict[str, list[Kept]] = {}
    for one in found:
        groups.setdefault(one.key.rpartition("/")[0], []).append(one)

    def remove(one: Judged) -> None:
        if shelf.is_pinned(store, one.place):
            raise HeldError("pinned")
        shelf.discard(store, one.place)

    names = judged(groups.values(), policy, now, lambda one: one.key.removeprefix("runs/"))
    return Plan(url, policy, names, remove, lambda: None)


def _split(url: str) -> tuple[str, str]:
    """The store, and the run in it that is meant; "" for all of them."""
    root, found, run = url.rpartition("/runs/")
    return (root, run) if found else (url.removesuffix("/runs"), "")
