"""The version of trainctl, spelled once."""

from __future__ import annotations

__version__ = "0.1.0"
