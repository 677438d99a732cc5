"""Cut the power of a loop ext4 again and again, and look what is left of what was acknowledged.

python powercut.py FOLDER CUTS, in a mount namespace of its own, so that everything goes with it.
Prints `CUTS LOST` at the end. Two rules make the cut honest: the namespace is private, else
another one keeps the dead file system; and the writer is stopped first, else a sync that is in
flight at the cut may be acknowledged falsely.
Source: EXT4_IOC_SHUTDOWN, linux/fs/ext4/ext4.h.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import time

from trainctl.kit import events, files

SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
WRITER = """
import os, sys
from trainctl.kit import events, files
place, cut = sys.argv[1], int(sys.argv[2])
number = 0
while True:
    events.append(os.path.join(place, f"{cut}.jsonl"), "event", {"number": number})
    files.write_json(os.path.join(place, "exit.json"), {"cut": cut, "number": number})
    run = os.path.join(place, f"run-{cut}-{number}")
    os.mkdir(run)
    files.write_json(os.path.join(run, "job.json"), {"number": number}, once=True)
    files.sync_folder(place)
    os.write(1, b"%d\\n" % number)
    number += 1
"""


def main(folder: str, cuts: int) -> int:
    image, place = os.path.join(folder, "image"), os.path.join(folder, "mounted")
    with open(image, "wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    os.makedirs(place, exist_ok=True)
    lost = 0
    for cut in range(cuts):
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        acknowledged = write_until_cut(place, cut)
        subprocess.run(["umount", place], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        lost += is_lost(place, cut, acknowledged)
        for name in os.listdir(place):
            if name.startswith("run-"):
                subprocess.run(["rm", "-r", os.path.join(place, name)], check=True)
        subprocess.run(["umount", place], check=True)
    print(cuts, lost)
    return 0


def write_until_cut(place: str, cut: int) -> int:
    """The number that was acknowledged last; -1 where none was."""
    command = [sys.executable, "-c", WRITER, place, str(cut)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        time.sleep(0.1 + random.random() * 0.3)
        writer.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, writer.pid, os.WSTOPPED)
        descriptor = os.open(place, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(descriptor)
        writer.kill()
        said = writer.stdout.read() if writer.stdout else b""
    return int(said.split()[-1]) if said.split() else -1


def is_lost(place: str, cut: int, acknowledged: int) -> bool:
    seen = events.read(os.path.join(place, f"{cut}.jsonl"))
    numbers = [record["number"] for record in seen.records]
    whole = numbers[: acknowledged + 1] == list(range(acknowledged + 1)) and not seen.corrupt
    last = files.read_json(os.path.join(place, "exit.json")) or {}
    newest = acknowledged < 0 or (last.get("cut") == cut and last["number"] >= acknowledged)
    runs = all(
        files.read_json(os.path.join(place, f"run-{cut}-{number}", "job.json")) is not None
        for number in range(acknowledged + 1)
    )
    return not (whole and newest and runs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
