"""The kit as one file: supervisor and kit in a zip that is named by its hash and runs anywhere.

hashlib and zipfile are imported where they serve: every command imports this, and hardly one of
them needs it.
"""

from __future__ import annotations

import os

from trainctl.kit import files
from trainctl.kit.names import Home

LARGEST_BYTES = 150 * 1024
_PACKAGES = ("kit", "kit/stores", "supervisor")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_START = b"from trainctl.supervisor.__main__ import main\nraise SystemExit(main())\n"


def installed(home: Home) -> str:
    """The path of the kit in this home, written there if it is not there yet."""
    sources = _sources()
    path = os.path.join(home.kits, f"{_hash(sources)[:32]}.pyz")
    if not os.path.exists(path):
        os.makedirs(home.kits, mode=0o700, exist_ok=True)
        files.write_atomic(path, build(sources), mode=0o600)
    return path


def build(sources: dict[str, bytes]) -> bytes:
    """The zip's bytes: the same for the same sources, on every machine and day."""
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            entry.create_system = 3
            archive.writestr(entry, without_docstrings(data))
    return buffer.getvalue()


def without_docstrings(source: bytes) -> bytes:
    """The same program, a fifth smaller; what stands on a line stays on that line."""
    import ast

    lines = source.split(b"\n")
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            first, last = node.body[0].lineno - 1, node.body[0].end_lineno or 0
            lines[first] = b" " * node.body[0].col_offset + b'""'
            lines[first + 1 : last] = [b""] * (last - first - 1)
    return b"\n".join(lines)


def _sources() -> dict[str, bytes]:
    top = os.path.dirname(os.path.dirname(files.__file__))
    found = {"__main__.py": _START, "trainctl/__init__.py": b""}
    for package in _PACKAGES:
        for name in sorted(os.listdir(os.path.join(top, package))):
            if name.endswith(".py"):
                with open(os.path.join(top, package, name), "rb") as file:
                    found[f"trainctl/{package}/{name}"] = file.read()
    return found


def _hash(sources: dict[str, bytes]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name, data in sorted(sources.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()
