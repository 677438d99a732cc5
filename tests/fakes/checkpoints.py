"""Small checkpoints as frameworks lay them out, made without any of them."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]


def safetensors(path: Path, shapes: Shapes, fill: int = 0, metadata: dict[str, str] | None = None):
    """Float32 tensors of these shapes, every byte the same."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(told)) + told + bytes([fill]) * end)
    return path


def torch_zip(path: Path, pickled: bytes = b"\x80\x02}q\x00.") -> Path:
    """A torch.save archive with nothing but this pickle; an empty dict unless another is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
    return path


def trainer(path: Path, step: int, **state: object) -> Path:
    """What Hugging Face's Trainer leaves behind at a step."""
    safetensors(
        path / "model.safetensors", {"layer.weight": (4, 2), "layer.bias": (4,)}, step % 256
    )
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch_zip(path / name)
    told = {"global_step": step, "epoch": step / 100, "log_history": [], **state}
    (path / "trainer_state.json").write_text(json.dumps(told))
    return path
