"""SeaweedFS, a real S3 service, on free ports of this machine; it dies with this process."""

from __future__ import annotations

import ctypes
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainctl.kit.stores.protocol import StoreError
from trainctl.kit.stores.retries import Patience
from trainctl.kit.stores.s3 import open_s3
from trainctl.kit.stores.service import Ask

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDWEED", "AWS_SECRET_ACCESS_KEY": "weedsecret"}
BUCKET = "bucket"
_GRPC = 10_000  # each service listens there too, so far above its port
_SECONDS = 60.0
_DEATH = 1  # PR_SET_PDEATHSIG


def program() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its endpoint, once a put succeeds: the first ones are refused for some seconds."""
    weed = program()
    assert weed is not None
    ports = _free_ports(4)
    identity = {
        "name": "test",
        "credentials": [
            {
                "accessKey": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                "secretKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            }
        ],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-s3.config={folder}/s3.json", "-master.volumeSizeLimitMB=64", "-volume.max=50"]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # before any test has a thread
            cwd=folder,
        )
    try:
        endpoint = f"http://127.0.0.1:{ports[-1]}"
        _wait(endpoint, process)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH, signal.SIGKILL, 0, 0, 0)


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    store = open_s3(f"s3://{BUCKET}", {"endpoint": endpoint}, CREDENTIALS)
    store.service.patience = Patience(tries=1)
    give_up = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        try:
            store.service.tell(Ask("PUT", ok=(200, 409)))
            store.write("ready", b"x")
            store.delete(["ready"])
        except StoreError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("SeaweedFS did not come up")


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in range(21_000 + time.time_ns() // 1_000_000 % 20_000, 50_000):
        if len(found) == count:
            break
        if all(_is_free(one) for one in (port, port + _GRPC)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
