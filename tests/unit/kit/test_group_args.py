from __future__ import annotations

import socket

from trainctl.kit.group_args import fill_group, free_port


def test_only_the_groups_own_tokens_are_filled():
    command = ["python", "127.0.0.1:{port}", "{ranks}", "train.py", "{ranks}", "{port}"]
    assert fill_group(command, 29500, "/runs/a/ranks") == [
        "python",
        "127.0.0.1:29500",
        "/runs/a/ranks",
        "train.py",
        "{ranks}",
        "{port}",
    ]


def test_a_free_port_can_be_listened_on():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
