"""What of a group of workers can be known only when its attempt starts: its port and its folder.

`--nproc` wraps a script in torch.distributed.run with these two tokens; whoever starts an
attempt, here or on a host, fills them.
"""

from __future__ import annotations

from typing import List, Sequence

ENDPOINT = "127.0.0.1:{port}"
RANKS = "{ranks}"


def fill_group(command: Sequence[str], port: int, ranks: str) -> List[str]:
    """The command with its group's port and the folder of its ranks' logs.

    Only the first token of each kind is ours, as the wrapping stands before the script's own
    arguments. For commands that `--nproc` has wrapped; any other comes back as it is, as long
    as no argument of it reads exactly like a token.
    """
    filled = list(command)
    for token, value in ((ENDPOINT, f"127.0.0.1:{port}"), (RANKS, ranks)):
        if token in filled:
            filled[filled.index(token)] = value
    return filled


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    import socket  # 3 ms and 1 MB, in every waiter too

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
