"""Prune checkpoints of a folder, of a run on this disk, of a store: a plan, then the act."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from trainctl.control import stores
from trainctl.control.catalogue.rows import lacking
from trainctl.control.checkpoints import RUN, URL, Ground, Target
from trainctl.control.pruning.plan import HeldError, Judged, Plan
from trainctl.errors import TrainctlError
from trainctl.kit import removing, retention
from trainctl.kit.retention import Policy
from trainctl.kit.stores.protocol import StoreError


class Outcome(NamedTuple):
    """What became of one that was to go. why: why it is still there; empty where it is gone.

    is_held: it stays because something holds it since the plan was made; nothing has failed.
    """

    judged: Judged
    why: str
    is_held: bool = False


def plan(where: Ground, target: Target, policy: Policy) -> Plan:
    """What would go and what would stay, with reasons; nothing is changed.

    Raises UsageError for what holds no checkpoints but is one, NotFoundError where none has the
    metric by which the best are to stay.
    """
    planned = _plan(where, target, policy, time.time())
    there = [one.kept for one in planned.judged]
    rule = retention.unmeasured(there, policy) if there else None
    if rule is not None:
        raise lacking(rule.metric, (name for one in there for name in one.metrics))
    return planned


def _plan(where: Ground, target: Target, policy: Policy, now: float) -> Plan:
    if target.kind == RUN:
        from trainctl.control.pruning import here

        return here.of_run(where, target.run, policy, now)
    from trainctl.control.pruning import shelves

    store = shelves.folder_store(target.path) if target.kind != URL else target.path
    if store is not None:
        return shelves.of_store(where, store, policy, now)
    from trainctl.control.pruning import here

    return here.of_path(where, target.path, policy, now)


def carry_out(planned: Plan, progress: Callable[[Outcome], None]) -> list[Outcome]:
    """Remove what nothing keeps: each one's manifest first. Gone already is success.

    What holds it is asked again right before: a removal of many takes long enough to pin one.
    One that fails keeps none of the others. Raises CredentialsError and its kin at once.
    """
    done: list[Outcome] = []
    planned.sweep()
    for judged in planned.doomed:
        why, is_held = "", False
        try:
            planned.remove(judged)
        except HeldError as held:
            why, is_held = str(held), True
        except removing.ChangedError:
            why = "it was written to meanwhile"
        except OSError as error:
            why = f"{error.filename or judged.place}: {error.strerror or error}"
        except StoreError as error:
            raise _stopped(error, done) from error
        done.append(Outcome(judged, why, is_held))
        progress(done[-1])
    return done


def _stopped(error: StoreError, done: list[Outcome]) -> TrainctlError:
    told = stores.as_told(error)
    if done:
        told.message += f" ({len(done)} were removed before)"
    return told
