"""What a maker script hands over: checkpoints in a folder, and what the framework says of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SAID = "said.json"


def folder() -> Path:
    """Where this script is to write: its only argument."""
    return Path(sys.argv[1])


def say(out: Path, said: Mapping[str, Any]) -> None:
    """What the framework itself says of each checkpoint, by its path in the folder."""
    (out / SAID).write_text(json.dumps(said, indent=1))


def tensors_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Shape and dtype of each torch tensor that it holds, by name."""
    return {
        name: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for name, value in state.items()
        if hasattr(value, "dtype")
    }
