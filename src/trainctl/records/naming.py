"""Names of runs: `train-7f3k`, short enough to say and to type a prefix of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that reads like another
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LONGEST = 63


def stem_of(words: list[str]) -> str:
    """What a run is called after: its script, module or program."""
    word = words[1] if words[0] == "-m" and len(words) > 1 else words[0]
    stem = os.path.splitext(os.path.basename(word.rstrip("/")))[0] if "/" in word else word
    stem = stem.removesuffix(".py").rsplit(".", 1)[-1]
    clean = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-")
    return clean or "run"


def fresh(stem: str, randomness: Callable[[int], bytes] = os.urandom) -> str:
    """`stem-xxxx`: about a million names a stem, so that two are told apart by four letters."""
    return f"{stem}-{''.join(_LETTERS[byte % len(_LETTERS)] for byte in randomness(4))}"


def is_valid(name: str) -> bool:
    """Whether a name can be a folder, a word of a command and part of a cloud's tag."""
    return _VALID.fullmatch(name) is not None
