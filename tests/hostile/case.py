"""One hostile file, and what must be said of it."""

from __future__ import annotations

from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Verdict

CODE, MALFORMED, DATA = Verdict.CODE, Verdict.MALFORMED, Verdict.DATA


class Case(NamedTuple):
    """says: words that a finding must have; imports: names that must be reported."""

    name: str
    data: bytes
    verdict: Verdict
    says: str = ""
    imports: tuple[str, ...] = ()
    format: str = "torch"
