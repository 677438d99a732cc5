"""What a command says while it reads all of a checkpoint before it starts anything."""

from __future__ import annotations

from trainctl.cli import output
from trainctl.cli.checkpoint.meter import Meter


class Waiting(Meter):
    """A meter that gives way to what is told meanwhile."""

    def __init__(self) -> None:
        super().__init__("trainctl: checking every byte", 0)

    def tell(self, sentence: str) -> None:
        self.clear()
        output.told(sentence)
