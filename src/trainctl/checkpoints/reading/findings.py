"""What is wrong with a file, told in so many sentences at most: a hostile one has no end of it."""

from __future__ import annotations

LIMIT = 20


class Findings(list[str]):
    """A list that stops to grow: appending to a full one does nothing."""

    def append(self, what: str) -> None:
        if len(self) < LIMIT:
            super().append(what)
