"""`python3 -I -S kit.zip wait RUN_FOLDER ATTEMPT | watch RUN_FOLDER`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    verb, arguments = sys.argv[1], sys.argv[2:]
    os.chdir("/")  # whoever started us may want to unmount or remove where he stood
    if verb == "wait":
        from trainctl.supervisor import waiter

        return waiter.main(arguments[0], int(arguments[1]))
    if verb == "watch":
        from trainctl.supervisor import agent

        return agent.main(arguments[0])
    sys.stderr.write(f"the kit knows wait and watch, not {verb}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
