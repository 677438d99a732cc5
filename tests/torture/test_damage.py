"""Bits flipped and files cut in real checkpoints: always seen, and never gone on from."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import need
from tests.conftest import SAMPLE
from tests.frameworks.conftest import Make, made_by
from tests.torture.board import Board, Detection
from tests.torture.yard import job_of
from trainctl.checkpoints import verify
from trainctl.control.picking import look
from trainctl.kit import choosing, files, manifest
from trainctl.kit.choosing import Checker
from trainctl.kit.names import Home

__all__ = ["made_by"]  # the fixture, for pytest to find
MADE_HERE = ("torch", "torch legacy", "safetensors", "folder", "DCP")
MADE_BY = {  # by the frameworks themselves, which takes them a while
    "Trainer": ("huggingface", "trainer/checkpoint-6"),
    "Lightning": ("lightning", "epoch=1-step=8.ckpt"),
    "FSDP": ("dcp", "step-3"),
    "Keras": ("keras", "epoch-2.keras"),
    "Orbax": ("orbax", "managed/2"),
}
pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
    need.module("torch"),
    need.module("safetensors"),
]
Damage = Callable[[Path, random.Random], None]


class Stand(NamedTuple):
    """A run with a sound older checkpoint and a newer one, both hashed, and both at rest."""

    home: Home
    job: dict[str, Any]
    old: Path
    new: Path

    def seen(self) -> bool:
        """Whether `verify` sees that something is wrong."""
        return bool(verify.verify(str(self.new), self.home.manifests).findings)

    def chosen(self) -> bool:
        """Whether a resume, by hand or by itself, would take the newer one."""
        run = self.home.run("base")
        by_itself = choosing.choose(run, self.job, Checker(self.home.manifests))
        by_hand = choosing.choose(run, self.job, Checker(self.home.manifests, look=look))
        assert {by_itself.path, by_hand.path} <= {str(self.old), str(self.new)}
        return str(self.new) in {by_itself.path, by_hand.path}


def stand(folder: Path, source: Path) -> Stand:
    home, out = Home(str(folder / "home")), folder / "out"
    run = home.run("base")
    os.makedirs(run.attempt(1).path)
    paths = [out / f"{number}" / source.name for number in (1, 2)]
    for number, path in enumerate(paths, 1):
        path.parent.mkdir(parents=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, path)
        for part in parts(path):
            os.utime(part, (1_000_000 + number, 1_000_000 + number))
        about = manifest.About("base", 1, number)
        manifest.write(home.manifests, manifest.make(str(path), about))
    files.write_json(run.attempt(1).pid, {"started": 1_000_000})
    files.write_json(run.attempt(1).exit, {})
    os.utime(run.attempt(1).exit, (1_000_010, 1_000_010))
    job = {**job_of(run, ["train"], str(folder)), "created": 1_000_000}
    return Stand(home, {**job, "checkpoint_dirs": [str(out)]}, *paths)


def parts(path: Path) -> list[Path]:
    """Its files that hold something."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [part for part in found if part.is_file() and part.stat().st_size]


def flip(part: Path, randomness: random.Random) -> None:
    data = bytearray(part.read_bytes())
    data[randomness.randrange(len(data))] ^= 1 << randomness.randrange(8)
    part.write_bytes(data)


def cut(part: Path, randomness: random.Random) -> None:
    os.truncate(part, randomness.randrange(part.stat().st_size))


@contextmanager
def damaged(part: Path, damage: Damage, randomness: random.Random) -> Iterator[None]:
    """At rest, as disks do it, in half of the cases; in the others the times tell of it."""
    whole, times = part.read_bytes(), part.stat()
    damage(part, randomness)
    if randomness.random() < 0.5:
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        yield
    finally:
        part.write_bytes(whole)
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))


class Peer:
    """What a framework's own loader says of files that it could load while they were whole."""

    def __init__(self, load: Callable[[str], object], *suffixes: str) -> None:
        self._load, self._suffixes = load, suffixes
        self.tried = self.refused = 0

    def refuses(self, part: Path) -> bool:
        try:
            self._load(str(part))
        except Exception:  # noqa: BLE001 - whatever a loader raises on bytes that are no sense
            return True
        return False

    def loads(self, part: Path) -> bool:
        return part.name.endswith(self._suffixes) and not self.refuses(part)

    def look(self, part: Path) -> None:
        self.tried += 1
        self.refused += self.refuses(part)

    def __str__(self) -> str:
        return f"{self.refused} of {self.tried}" if self.tried else "-"


def peers() -> tuple[Peer, Peer]:
    import torch
    from safetensors.torch import load_file

    def load(path: str) -> object:
        return torch.load(path, weights_only=True)

    return Peer(load, ".pt", ".pth", ".ckpt", ".bin"), Peer(load_file, ".safetensors")


def make(label: str, folder: Path) -> Path:
    """A model and its AdamW, a megabyte, as that format has it."""
    import torch
    from safetensors.torch import save_file
    from torch.distributed.checkpoint.state_dict_saver import save

    torch.manual_seed(0)
    model = torch.nn.Linear(400, 200)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 400)).sum().backward()
    optimizer.step()
    weights = model.state_dict()
    state = {"model": weights, "optimizer": optimizer.state_dict(), "step": 1}
    match label:
        case "torch":
            torch.save(state, folder / "last.pt")
            return folder / "last.pt"
        case "torch legacy":
            torch.save(state, folder / "last.pt", _use_new_zipfile_serialization=False)
            return folder / "last.pt"
        case "safetensors":
            save_file(weights, folder / "model.safetensors")
            return folder / "model.safetensors"
        case "DCP":
            save(state, checkpoint_id=folder / "step-1", no_dist=True)
            return folder / "step-1"
        case _:
            inside = folder / "checkpoint-1"
            inside.mkdir()
            save_file(weights, inside / "model.safetensors")
            torch.save(state["optimizer"], inside / "optimizer.pt")
            torch.save({"last_epoch": 1}, inside / "scheduler.pt")
            torch.save({"cpu": torch.get_rng_state()}, inside / "rng_state.pth")
            (inside / "trainer_state.json").write_text('{"global_step": 1}')
            return inside


each = pytest.mark.parametrize("what", ["bit flipped", "file cut"])


@each
@pytest.mark.parametrize("label", MADE_HERE)
def test_damage_is_seen_and_never_gone_on_from(
    board: Board, tmp_path: Path, kills: int, label: str, what: str
):
    (tmp_path / "made").mkdir()
    strike(board, stand(tmp_path, make(label, tmp_path / "made")), kills, f"{label}, {what}")


@each
@pytest.mark.parametrize("label", MADE_BY)
def test_so_it_is_with_what_frameworks_made(
    request: pytest.FixtureRequest,
    board: Board,
    tmp_path: Path,
    kills: int,
    label: str,
    what: str,
):
    if kills <= SAMPLE:
        pytest.skip("not run: the formats made here are the sample; ./run torture has them all")
    maker, name = MADE_BY[label]
    made: Make = request.getfixturevalue("made_by")
    strike(board, stand(tmp_path, made(maker) / name), kills, f"{label}, {what}")


def strike(board: Board, here: Stand, kills: int, what: str) -> None:
    """One fault after the other, each mended before the next."""
    assert not here.seen()
    assert here.chosen()
    seed = int.from_bytes(os.urandom(4), "big")
    randomness, damage = random.Random(seed), flip if what.endswith("flipped") else cut
    print(f"{what}: seed {seed}")
    all_parts = parts(here.new)
    sizes = [part.stat().st_size for part in all_parts]
    asked = () if "legacy" in what else peers()
    loading = [(part, peer) for part in all_parts for peer in asked if peer.loads(part)]
    seen = chosen = 0
    count = 2 * kills // (len(MADE_HERE) + len(MADE_BY) * (kills > SAMPLE))
    for _ in range(count):
        part = randomness.choices(all_parts, sizes)[0]
        with damaged(part, damage, randomness):
            seen, chosen = seen + here.seen(), chosen + here.chosen()
            for _, peer in (pair for pair in loading if pair[0] == part):
                peer.look(part)
    told = [*map(str, asked), "-", "-"][:2]
    board.compare(Detection(what, count, seen, chosen, *told))
