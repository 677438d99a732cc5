"""Builds the objects that a command works with from where it stands: the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trainctl.clock import Clock, SystemClock
from trainctl.config import Settings, load
from trainctl.control.home import open_home
from trainctl.kit.names import Home
from trainctl.platforms.local import LocalPlatform
from trainctl.platforms.protocol import Platform


class Here(NamedTuple):
    """Where a command stands and what it may use; handed to every use-case."""

    cwd: str
    environ: Mapping[str, str]
    settings: Settings
    home: Home
    clock: Clock
    platforms: Mapping[str, Platform]


def connect(cwd: str, environ: Mapping[str, str]) -> Here:
    """Read the settings, open the state folder. Raises ConfigError or RefusedError with remedy."""
    settings = load(cwd, environ)
    home = open_home(settings.home)
    clock = SystemClock()
    return Here(cwd, environ, settings, home, clock, {"local": LocalPlatform(home, clock)})
