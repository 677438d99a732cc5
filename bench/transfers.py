"""`checkpoint push` and `pull` against s5cmd and boto3, over loopback, the disk left out."""

from __future__ import annotations

import glob
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bench.measure import interleaved
from bench.place import HERE, Place
from bench.rows import Row, not_run

BAR = 1.4  # times the faster peer
MIB = 1 << 20
_MEMORY = "/dev/shm"
_ENDINGS = itertools.count()
_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "bench"}

# As its users would write it: defaults, which send and ask for checksums, and a pool for many.
BOTO = """\
import os, sys
from concurrent.futures import ThreadPoolExecutor
import boto3
way, here, there = sys.argv[1:]
client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def put(name):
    client.upload_file(f"{here}/{name}", "bench", f"{there}/{name}")
def get(key):
    client.download_file("bench", key, f"{here}/{os.path.basename(key)}")
with ThreadPoolExecutor(10) as pool:
    if way == "pull":
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="bench", Prefix=there)
        list(pool.map(get, [item["Key"] for page in pages for item in page["Contents"]]))
    elif os.path.isdir(here):
        list(pool.map(put, os.listdir(here)))
    else:
        client.upload_file(here, "bench", f"{there}/{os.path.basename(here)}")
"""


def transfers(place: Place) -> Iterator[Row]:
    s5cmd = shutil.which("s5cmd", path=os.path.dirname(sys.executable))
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else place.path
    if s5cmd is None:
        yield not_run("push and pull against s5cmd and boto3", "needs the package s5cmd")
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder, _server(place, folder) as url:
        env = {**place.env, **_KEYS, "AWS_ENDPOINT_URL": url, "S3_ENDPOINT_URL": url}
        env |= {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        yard = _Yard(place, folder, s5cmd, env)
        one = 64 * MIB if place.quick else 1024 * MIB
        many = 100 if place.quick else 2000
        for name, files, size in (("1 file", 1, one), (f"{many:,} files", many, MIB)):
            yield from yard.cells(name, files, size)


class _Yard:
    """Where files lie in memory, and the commands that move them."""

    def __init__(self, place: Place, folder: str, s5cmd: str, env: Mapping[str, str]) -> None:
        self._place = place
        self._folder = folder
        self._s5cmd = s5cmd
        self._env = env
        self._boto = os.path.join(folder, "boto.py")
        with open(self._boto, "w") as file:
            file.write(BOTO)

    def cells(self, name: str, files: int, size: int) -> Iterator[Row]:
        path = self._made(files, size)
        told = f"{name} of {size // MIB} MiB over loopback, checksums on"
        yield _row(f"push {told}", files * size, self._pushes(path))
        key = self._shelved(path)
        yield _row(f"pull {told}", files * size, self._pulls(key))
        shutil.rmtree(os.path.join(self._folder, "source"))
        shutil.rmtree(os.path.join(self._folder, "root"))

    def _made(self, files: int, size: int) -> str:
        """A checkpoint: a file, or a folder of files, of random bytes that no format claims."""
        path = os.path.join(self._folder, "source", "step_5.dat" if files == 1 else "checkpoint-5")
        names = [path] if files == 1 else [f"{path}/{number:04}.dat" for number in range(files)]
        os.makedirs(os.path.dirname(names[0]))
        for one in names:
            with open(one, "wb") as file:
                file.write(bytes(64))
                file.writelines(os.urandom(min(MIB, size - at)) for at in range(64, size, MIB))
        return path

    def _pushes(self, path: str) -> dict[str, float]:
        def ours() -> float:
            shutil.rmtree(os.path.join(self._place.home, "manifests"), ignore_errors=True)
            return self._wall(
                [self._place.trainctl, "checkpoint", "push", path, "--to", _fresh("s3://bench")]
            )

        source = path if os.path.isfile(path) else path + "/"
        return self._compared(
            ours,
            lambda: self._wall([self._s5cmd, "cp", source, _fresh("s3://bench") + "/"]),
            lambda: self._wall([self._place.python, self._boto, "push", path, _fresh("boto")]),
        )

    def _shelved(self, path: str) -> str:
        """The key of what is pulled: on a shelf in the folder that the server serves."""
        root = os.path.join(self._folder, "root", "store")
        self._wall([self._place.trainctl, "checkpoint", "push", path, "--to", root])
        (found,) = glob.glob(f"{root}/runs/*/*")
        return os.path.relpath(found, os.path.dirname(root))

    def _pulls(self, key: str) -> dict[str, float]:
        def into(command: Callable[[str], list[str]]) -> Callable[[], float]:
            def measure() -> float:
                target = os.path.join(self._folder, "target")
                os.mkdir(target)
                took = self._wall(command(target))
                shutil.rmtree(target)
                return took

            return measure

        trainctl, python = self._place.trainctl, self._place.python
        return self._compared(
            into(lambda to: [trainctl, "checkpoint", "pull", f"s3://bench/{key}", f"{to}/it"]),
            into(lambda to: [self._s5cmd, "cp", f"s3://bench/{key}/data/*", f"{to}/"]),
            into(lambda to: [python, self._boto, "pull", to, f"{key}/data"]),
        )

    def _compared(
        self, ours: Callable[[], float], s5cmd: Callable[[], float], boto3: Callable[[], float]
    ) -> dict[str, float]:
        tries = {"trainctl": ours, "s5cmd": s5cmd, "boto3": boto3}
        return interleaved(tries, self._place.rounds(5))

    def _wall(self, command: list[str]) -> float:
        """Seconds of the whole process. Raises RuntimeError where it fails."""
        begun = time.monotonic()
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        took = time.monotonic() - begun
        if done.returncode != 0:
            raise RuntimeError(done.stderr or f"{command[0]} ended with {done.returncode}")
        return took


def _row(what: str, size: int, seen: dict[str, float]) -> Row:
    speeds = {name: size / seconds / 1e6 for name, seconds in seen.items()}
    peer = max(("s5cmd", "boto3"), key=lambda name: speeds[name])
    ratio = speeds["trainctl"] / speeds[peer]
    others = ", ".join(f"{name} {speeds[name]:.0f}" for name in ("s5cmd", "boto3"))
    return Row(
        what,
        f"{speeds['trainctl']:.0f} MB/s",
        f"{others} MB/s",
        f"{ratio:.2f}",
        f">= {BAR}",
        ratio >= BAR,
        round(ratio, 3),
    )


def _fresh(prefix: str) -> str:
    """A place where nothing is yet."""
    return f"{prefix}/{next(_ENDINGS)}"


@contextmanager
def _server(place: Place, folder: str) -> Iterator[str]:
    """The URL of a server of its own process."""
    root = os.path.join(folder, "root")
    process = subprocess.Popen(
        [place.python, str(HERE / "null_server.py"), root], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()
