"""Settings: files and environment, read once into frozen values."""

from __future__ import annotations

from trainctl.config.durations import duration, spoken
from trainctl.config.keys import KEYS, Key
from trainctl.config.places import FILE, Place, project_place, user_place
from trainctl.config.settings import (
    Settings,
    examine,
    files,
    load,
    unknown_key,
    unread_variables,
    validate,
)
from trainctl.config.shown import toml
from trainctl.config.sizes import size, spoken_size

__all__ = [
    "FILE",
    "KEYS",
    "Key",
    "Place",
    "Settings",
    "duration",
    "examine",
    "files",
    "load",
    "project_place",
    "size",
    "spoken",
    "spoken_size",
    "toml",
    "unknown_key",
    "unread_variables",
    "user_place",
    "validate",
]
