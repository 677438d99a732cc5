"""A trainer that saves step after step, and one file in place.

python careless.py STEPS SECONDS: so many saves, over so long.
"""

import json
import os
import sys
import time

steps, seconds = int(sys.argv[1]), float(sys.argv[2])
folder = os.environ["TRAINCTL_CHECKPOINT_DIR"]
SIZE = 300_000
header = {"w": {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}}
text = json.dumps(header).encode()
for step in range(1, steps + 1):
    data = len(text).to_bytes(8, "little") + text + os.urandom(16) * (SIZE // 16)
    for name in (f"step-{step}.safetensors", "last.safetensors"):
        with open(os.path.join(folder, name), "wb", buffering=0) as file:
            file.writelines(data[at : at + 65536] for at in range(0, len(data), 65536))
    time.sleep(seconds / steps)
