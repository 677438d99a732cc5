"""Bare `trainctl`: the living runs and three next commands."""

from __future__ import annotations

from trainctl.cli import listing, output
from trainctl.control import lookup
from trainctl.control.wiring import Here
from trainctl.records.rows import Wanted
from trainctl.records.state import LIVING


def show(here: Here) -> None:
    """What runs now, else the newest runs; nothing bills on this machine."""
    rows, living = lookup.rows(here, Wanted(states=sorted(LIVING)))
    if not rows:
        rows, _ = lookup.rows(here, Wanted(limit=3))
    now = here.clock.now()
    output.line(f"{living} living, nothing bills" if rows else "no runs yet")
    if rows:
        output.table(
            listing.HEADS, [listing.cells(row, now) for row in rows], styles=listing.STYLES
        )
    if living:
        second = "trainctl logs -f        follow the newest run"
    elif rows:
        second = "trainctl resume         go on from the newest checkpoint of the newest run"
    else:
        second = "trainctl init           propose a trainctl.toml"
    output.note("")
    output.note("  trainctl run train.py   start a run")
    output.note(f"  {second}")
    output.note("  trainctl --help         all commands")
