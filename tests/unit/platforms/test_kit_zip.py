"""The kit is one small file that is the same wherever and whenever it is built."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from trainctl.kit.names import Home
from trainctl.platforms import kit_zip

BUILD = """
import sys
from trainctl.kit.names import Home
from trainctl.platforms import kit_zip
print(kit_zip.installed(Home(sys.argv[1])))
"""


def test_the_same_sources_make_the_same_bytes_under_any_clock_and_mask(tmp_path: Path) -> None:
    first = kit_zip.installed(Home(str(tmp_path / "a")))
    environ = {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path / "b")],
        env=environ,
        umask=0o077,
        check=True,
        capture_output=True,
        text=True,
    )
    second = Path(done.stdout.strip())
    assert second.name == Path(first).name
    assert second.read_bytes() == Path(first).read_bytes()


def test_it_is_small_and_holds_only_what_a_host_needs(tmp_path: Path) -> None:
    path = Path(kit_zip.installed(Home(str(tmp_path))))
    assert path.stat().st_size <= kit_zip.LARGEST_BYTES
    names = zipfile.ZipFile(io.BytesIO(path.read_bytes())).namelist()
    assert {name.split("/")[1] for name in names if name.startswith("trainctl/")} == {
        "__init__.py",
        "kit",
        "supervisor",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def statements(source: bytes) -> list[tuple[int, str]]:
    """Where each statement begins, and what it is; without docstrings."""
    return [
        (node.lineno, type(node).__name__)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def test_leaving_out_docstrings_leaves_every_statement_on_its_line() -> None:
    sources = [path.read_bytes() for path in Path(kit_zip.__file__).parents[1].rglob("*.py")]
    shorter = [kit_zip.without_docstrings(source) for source in sources]
    assert sum(map(len, shorter)) < 0.9 * sum(map(len, sources))
    for source, bare in zip(sources, shorter, strict=True):
        assert statements(bare) == statements(source)


def test_it_is_written_once(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    first = os.stat(kit_zip.installed(home))
    assert os.stat(kit_zip.installed(home)).st_ino == first.st_ino
    assert len(os.listdir(home.kits)) == 1


def test_it_runs_under_every_interpreter_alone(tmp_path: Path, interpreter: Path) -> None:
    kit = kit_zip.installed(Home(str(tmp_path)))
    done = subprocess.run(
        [interpreter, "-I", "-S", kit, "dance"],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert (done.returncode, done.stderr) == (2, "the kit knows wait and watch, not dance\n")
