"""Read every hostile file while Python tells all it does; say what came out, as JSON.

Run as `python -m tests.hostile.watched`, in a process of its own: a hook cannot be taken away.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc

from tests.hostile.case import Case
from tests.hostile.corpus import corpus
from tests.hostile.memory import MemorySource
from trainctl.checkpoints.formats.safetensors import SAFETENSORS
from trainctl.checkpoints.formats.torch_zip import TORCH

READERS = {"torch": TORCH, "safetensors": SAFETENSORS}
HARMLESS = ("builtins.id", "object.__", "sys._getframe", "_thread.start_new_thread", "threading.")


def look(case: Case, events: list[str]) -> dict[str, object]:
    reader = READERS[case.format]
    del events[:]
    tracemalloc.reset_peak()
    before, begin = tracemalloc.get_traced_memory()[0], time.perf_counter()
    inspection = reader.inspect(MemorySource(case.data))
    seconds = time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1] - before
    reader.recognise(MemorySource(case.data))
    verified = reader.verify(MemorySource(case.data))
    return {
        "verdict": inspection.verdict,
        "findings": inspection.findings,
        "imports": inspection.imports,
        "verified": verified,
        "seconds": seconds,
        "peak": peak,
        "events": list(events),
    }


def main() -> None:
    events: list[str] = []
    cases = corpus()
    for case in cases.values():  # what any first use imports is not the hostile file's doing
        if "comparison" in case.name:
            look_quietly(case)

    def hook(event: str, _: tuple[object, ...]) -> None:
        if not event.startswith(HARMLESS):
            events.append(event)

    tracemalloc.start()
    sys.addaudithook(hook)
    found = {name: look(case, events) for name, case in cases.items()}
    print(json.dumps(found))


def look_quietly(case: Case) -> None:
    READERS[case.format].inspect(MemorySource(case.data))
    READERS[case.format].verify(MemorySource(case.data))


if __name__ == "__main__":
    main()
