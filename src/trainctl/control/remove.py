"""Delete runs: the folder first by another name, so that a crash leaves no half a run."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

from trainctl.control import lookup, staging
from trainctl.control.wiring import Here
from trainctl.errors import BusyError
from trainctl.kit import events, heirs, launch, manifest, pins, process
from trainctl.kit.names import Home, RunFolder
from trainctl.records.index import Index


class Doomed(NamedTuple):
    """What deleting a run takes: its record, log and own files; not the script's outputs."""

    run: RunFolder
    size_bytes: int
    checkpoints_inside: int


def look(here: Here, run: RunFolder) -> Doomed:
    """What would go. Raises BusyError while the run lives."""
    found = lookup.refresh(here, run)
    if found.living or process.marked(run.path):
        raise BusyError(f"{run.name} is {found.state}", hint=f"trainctl stop {run.name}")
    size, inside = 0, 0
    for parent, _, names in os.walk(run.path):
        size += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
        inside += len(names) if parent.startswith(run.checkpoints) else 0
    return Doomed(run, size, inside)


def delete(here: Here, doomed: Doomed) -> None:
    """Remove the run folder and its row. Already gone is success."""
    run = doomed.run
    _forget_as_heir(run)
    _forget_inside(here.home, run)
    trash = staging.deleted(here.home, run.name)
    try:
        os.rename(run.path, trash)
    except FileNotFoundError:
        trash = ""
    with Index.open(here.home) as known:
        known.drop([run.name])
    if trash:
        shutil.rmtree(trash)


def _forget_inside(home: Home, run: RunFolder) -> None:
    """Manifests and pins of the checkpoints and copies that go with the folder."""
    for number in run.attempts():
        for record in events.read(run.attempt(number).checkpoints).records:
            for path in (str(record.get("path")), str(record.get("copy"))):
                if path.startswith(run.path + os.sep):
                    manifest.forget(home.manifests, path)
                    pins.unpin(home.pins, path)


def _forget_as_heir(run: RunFolder) -> None:
    """Take its attempts off the list of those that went on from a checkpoint."""
    for number in run.attempts():
        plan = launch.read(run, number)
        if plan is not None and plan.resumed_from is not None:
            heirs.forget(run, number, plan.resumed_from)
