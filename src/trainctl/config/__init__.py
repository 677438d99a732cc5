"""Settings: files and environment, read once into frozen values."""

from __future__ import annotations

from trainctl.config.durations import duration, spoken
from trainctl.config.keys import KEYS, Key, toml
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
    "spoken",
    "toml",
    "unknown_key",
    "unread_variables",
    "user_place",
    "validate",
]
