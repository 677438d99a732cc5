"""A trainer that leaves twenty descendants behind, each as hard to find and to end as can be.

python tree.py PLACE: writes each descendant's pid into PLACE, and ends with code 0.
"""

import os
import signal
import subprocess
import sys
import time

LIFE_SECONDS = 120  # they go by themselves, should the test be killed


def main() -> None:
    place = sys.argv[1]
    for number in range(20):
        if len(sys.argv) == 2:
            clean = number % 2 == 0
            words = [sys.executable, "-I", "-S", __file__, place, str(number)]
            subprocess.Popen(
                words,
                env={} if clean else None,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    give_up = time.monotonic() + 30
    while len(os.listdir(place)) < 20 and time.monotonic() < give_up:
        time.sleep(0.01)


def descendant(place: str, number: int) -> None:
    if number % 3 == 0:  # a daemon: its parent ends, and it leaves the session too
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
    if number % 4 == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if number % 5 == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    beside = os.path.join(place, f".{number}")
    with open(beside, "w") as file:
        file.write(str(os.getpid()))
    os.rename(beside, os.path.join(place, str(number)))
    if number == 7:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(LIFE_SECONDS)


if len(sys.argv) > 2:
    descendant(sys.argv[1], int(sys.argv[2]))
else:
    main()
