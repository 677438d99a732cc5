"""exit.json: how an attempt ended, written once, and on a full disk too."""

from __future__ import annotations

import os
import time
from typing import Any, Dict

from trainctl.kit import files
from trainctl.kit.names import AttemptFolder

_RESERVE = 16 * 1024
_RETRY_SECONDS = 1.0


def reserve(attempt: AttemptFolder) -> None:
    """Hold disk space, so that the end can be written on a disk that the trainer has filled."""
    try:
        files.write_atomic(_reserve_of(attempt), b"\0" * _RESERVE)
    except OSError:
        pass


def write(attempt: AttemptFolder, record: Dict[str, Any]) -> None:
    """Write how it ended, however long the disk refuses; given up only with the folder itself."""
    while os.path.isdir(attempt.path):
        try:
            files.remove(_reserve_of(attempt))
            files.write_json(attempt.exit, record, once=not _is_damaged(attempt))
        except FileExistsError:
            return
        except OSError:
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _is_damaged(attempt: AttemptFolder) -> bool:
    return os.path.exists(attempt.exit) and files.read_json(attempt.exit) is None


def _reserve_of(attempt: AttemptFolder) -> str:
    return os.path.join(attempt.path, "exit.reserve")
