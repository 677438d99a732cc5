"""Settings: files and environment, read once into frozen values."""

from __future__ import annotations

from trainctl.config.durations import duration, spoken
from trainctl.config.keys import KEYS, Key, toml
from trainctl.config.places import Place
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
    "KEYS",
    "Key",
    "Place",
    "Settings",
    "duration",
    "examine",
    "files",
    "load",
    "spoken",
    "toml",
    "unknown_key",
    "unread_variables",
    "validate",
]
