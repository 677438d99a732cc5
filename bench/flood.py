"""The same as flood.c, where there is no C compiler: flood.py BYTES LINE FILE."""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    left, size = int(sys.argv[1]), int(sys.argv[2])
    line = bytearray(b"x" * size)
    line[99::100] = b"\n" * len(line[99::100])
    line[-1:] = b"\n"
    data = bytes(line)
    began = time.monotonic()
    while left > 0:
        left -= os.write(1, data)
    took = time.monotonic() - began
    with open(sys.argv[3], "w") as file:
        file.write(f"{took:.6f}\n")


main()
