"""A trainer that tells on doubles: it writes numbered lines, and holds a marker while it lives.

python trainer.py PLACE LINES SECONDS CODE: LINES lines over SECONDS, then exit with CODE.
"""

import fcntl
import os
import sys
import time

place, lines, seconds, code = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
marker = os.open(os.path.join(place, "marker"), os.O_RDWR | os.O_CREAT, 0o600)
starts = os.open(os.path.join(place, "starts"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(starts, f"{os.environ['TRAINCTL_ATTEMPT']} {os.getpid()}\n".encode())
try:
    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    os.close(os.open(os.path.join(place, "clash"), os.O_WRONLY | os.O_CREAT, 0o600))
for number in range(lines):
    os.write(1, f"line {number}\n".encode())
    time.sleep(seconds / lines)
sys.exit(code)
