"""A trainer and the agent's upkeep in one thread, so that every write has its number.

python saver.py KIT RUN STEPS: save step after step, and one file in place; after each, do all
that the agent would. Started again, it goes on. Prints `verified` once there is a verified one.
"""

import json
import os
import sys
import time

sys.path.insert(0, sys.argv[1])

from trainctl.kit import checkpoints, files, retention
from trainctl.kit.names import RunFolder
from trainctl.supervisor import verifying
from trainctl.supervisor.upkeep import Upkeep

verifying.QUIET_SECONDS = 0.0
retention.YOUNG_SECONDS = -1.0


def save(path: str, data: bytes) -> None:
    """In place, as careless scripts do."""
    with open(path, "wb", buffering=0) as file:
        file.writelines(data[at : at + 2048] for at in range(0, len(data), 2048))


def content() -> bytes:
    """Never twice the same, so that each save is told from every other."""
    header = {"w": {"dtype": "U8", "shape": [4096], "data_offsets": [0, 4096]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + os.urandom(16) * 256


def work(upkeep: Upkeep, folder: str) -> None:
    found = checkpoints.scan([folder])
    for one in found:
        if not upkeep.ledger.knows(one):
            upkeep.ledger.write("checkpoint", one._asdict(), durable=False)
    while (pause := upkeep._hash_one()) is not None:
        time.sleep(pause)
    upkeep._pruner.hurry()
    while (pause := upkeep._move_one()) is not None:
        time.sleep(pause)
    if any(version.id for version in upkeep.ledger.all()):
        os.write(1, b"verified\n")


def main(run: RunFolder, steps: int) -> None:
    upkeep = Upkeep(run, files.read_json(run.job) or {})
    upkeep.follow(1)
    upkeep._mover.stop(0)  # its thread, since we do its steps ourselves
    work(upkeep, run.checkpoints)
    for step in range(1, steps + 1):
        path = os.path.join(run.checkpoints, f"step-{step}.safetensors")
        mark = os.path.join(run.path, f"saved-{step}")
        if not os.path.exists(mark):
            data = content()
            save(path + ".tmp", data)
            os.rename(path + ".tmp", path)
            save(os.path.join(run.checkpoints, "last.safetensors"), data)
            os.mkdir(mark)
        work(upkeep, run.checkpoints)


if __name__ == "__main__":
    main(RunFolder(sys.argv[2]), int(sys.argv[3]))
