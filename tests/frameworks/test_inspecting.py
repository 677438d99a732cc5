"""Every reader says of a real checkpoint what its framework says of it, and imports nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.conftest import ROOT, Make, said
from tests.frameworks.table import MADE, NEEDS
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.formats.protocol import Inspection, Verdict
from trainctl.checkpoints.source import LocalSource
from trainctl.kit import checkpoints, completeness

CODE = {"model.pth", "weights/last.pt", "lambda.keras"}
OPAQUE = {"legacy.pt", "model.h5"}
OWN_OPTIMIZER = {"half.keras", "lambda.keras", "model.pth", "half.bin", "sharded", "adapter"}

each = pytest.mark.parametrize(("maker", "name", "format"), MADE)


def look(path: Path) -> Inspection:
    with LocalSource(str(path)) as source:
        return registry.inspect(source)


@each
def test_it_says_what_the_framework_says(
    made_by: Make, maker: str, name: str, format: str
) -> None:
    folder = made_by(maker)
    seen, facts = look(folder / name), said(folder).get(name, {})
    assert seen.format == format
    assert seen.findings == ()
    for field in ("step", "epoch", "loss", "version", "framework", "world_size"):
        if field in facts:
            assert getattr(seen, field) == facts[field], field
    if "best" in facts:
        assert list(seen.best_metric or ()) == facts["best"]
    assert dict(seen.metrics).items() >= facts.get("metrics", {}).items()
    assert_same_tensors(seen, facts.get("tensors", {}))


def assert_same_tensors(seen: Inspection, tensors: dict[str, Any]) -> None:
    """By the framework's own names, before which the file may have the name of its part."""
    found = {tensor.name: [list(tensor.shape), tensor.dtype] for tensor in seen.tensors}
    for name, facts in tensors.items():
        key = next((key for key in found if key == name or key.endswith(f".{name}")), None)
        assert key is not None, f"{name} is not among {sorted(found)[:20]}"
        known = facts if found[key][1] or seen.format != "orbax" else [facts[0], ""]
        assert found[key] == known, name


@each
def test_its_verdict_is_plain(made_by: Make, maker: str, name: str, format: str) -> None:
    seen = look(made_by(maker) / name)
    expected = Verdict.CODE if name in CODE else Verdict.DATA
    assert seen.verdict is (Verdict.OPAQUE if name in OPAQUE else expected)
    assert bool(seen.imports) or expected is Verdict.DATA


@each
def test_it_knows_how_to_go_on(made_by: Make, maker: str, name: str, format: str) -> None:
    path = made_by(maker) / name
    resuming = registry.resuming(look(path))
    assert resuming.how
    assert resuming.takes in {"either", "folder" if path.is_dir() else "file"}


@each
def test_it_is_whole_and_its_checksums_fit(
    made_by: Make, maker: str, name: str, format: str
) -> None:
    path = made_by(maker) / name
    found = checkpoints.look(str(path))
    assert found is not None
    assert completeness.incompleteness(found, writers_alive=False) is None
    with LocalSource(str(path)) as source:
        assert registry.recognise(source).verify(source) == []


@pytest.mark.parametrize("maker", NEEDS)
def test_what_it_made_is_listed_by_names(made_by: Make, maker: str) -> None:
    folder = made_by(maker)
    listed = {found.path for found in checkpoints.scan([str(folder)])}
    for other, name, kind in MADE:
        if other == maker and not (folder / name).is_symlink() and kind != "safetensors":
            is_named = not name.endswith(".bin")  # a `.bin` of any name may be data
            assert (str(folder / name) in listed) == is_named


def test_the_shape_of_an_array_in_pieces_is_not_guessed(made_by: Make) -> None:
    seen = look(made_by("orbax") / "many" / "1")
    assert [tensor.name for tensor in seen.tensors] == ["whole"]
    assert seen.scalars["split"] == "in pieces of 2 x 6"


WATCHED = """
import json, sys
refused = []
def watch(event, args):
    name = str(args[0]) if args else ""
    if event in {"pickle.find_class", "marshal.loads", "os.system", "subprocess.Popen"}:
        refused.append(event) if event != "marshal.loads" else None
    if event == "import" and name.partition(".")[0] in FOREIGN:
        refused.append(name)
FOREIGN = {"torch", "numpy", "transformers", "h5py", "jax", "keras", "safetensors", "pickle"}
sys.addaudithook(watch)
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.source import LocalSource
for path in json.load(sys.stdin):
    with LocalSource(path) as source:
        registry.inspect(source)
        registry.recognise(source).verify(source)
refused += sorted(FOREIGN & sys.modules.keys())
print(json.dumps(refused))
"""


def test_nothing_is_unpickled_and_no_framework_imported(made_by: Make) -> None:
    paths = [str(made_by(maker) / name) for maker, name, _ in MADE]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        input=json.dumps(paths),
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
