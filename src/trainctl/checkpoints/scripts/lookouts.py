"""Which checkpoints a script looks for by itself: by a name in its source, or by a pattern."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator

from trainctl.checkpoints.scripts.options import Source, keywords_of, literal, name_of, text_of
from trainctl.kit.checkpoints import SUFFIXES, is_checkpoint_name

NAMES_LIMIT = 100
_LOADERS = frozenset(
    {
        "load_file",
        "safe_open",
        "load_checkpoint",
        "load_checkpoint_and_dispatch",
        "load_from_checkpoint",
        "load_model",
        "load_pretrained",
        "load_state",
        "load_weights",
        "restore",
        "restore_checkpoint",
    }
)
_OF_SETTINGS = frozenset({"json", "yaml", "toml", "tomllib", "OmegaConf"})
_SAVERS = re.compile(r"save\w*|dump|savez\w*|replace|rename|mkdir|makedirs")
_HANDED = frozenset({"ckpt_path", "resume_from_checkpoint"})
_LISTERS = frozenset({"listdir", "scandir", "iterdir"})
_PATTERN = re.compile(
    r"(?:checkpoint|ckpt|step|epoch|iter)[-_=]?(?:\*|\\d|\(|\[|$)"
    rf"|(?:{'|'.join(map(re.escape, SUFFIXES))})\$?$",
    re.IGNORECASE,
)


def names_in(sources: Iterable[Source]) -> frozenset[str]:
    """The checkpoints that a script which loads some calls by name, as in "out/last.pt".

    Not those whose name stands only where something is saved.
    """
    sources = list(sources)
    if not any(map(_loads, sources)):
        return frozenset()
    ends = (os.path.basename(text) for source in sources for text in _texts(source))
    names = {name for name in ends if _is_name(name)}
    return frozenset(sorted(names)[:NAMES_LIMIT])


def searches(sources: Iterable[Source]) -> bool:
    """Whether it lists a folder for checkpoints and loads what it finds."""
    sources = list(sources)
    return any(map(_loads, sources)) and any(map(_lists, sources))


def _is_name(name: str) -> bool:
    plain = not any(letter in name for letter in "*?[{%")
    return plain and (
        is_checkpoint_name(name, is_dir=False) or is_checkpoint_name(name, is_dir=True)
    )


def _loads(source: Source) -> bool:
    return any(_is_load(call, source) for call in source.calls())


def _is_load(call: ast.Call, source: Source) -> bool:
    name = name_of(call.func)
    if name == "load":
        owner = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        return owner not in _OF_SETTINGS
    if name == "open":
        return _opens_one(call, source)
    handed = [value for key, value in keywords_of(call).items() if key in _HANDED]
    return name in _LOADERS or any(_says_something(value) for value in handed)


def _opens_one(call: ast.Call, source: Source) -> bool:
    """Not every file that is read is a checkpoint."""
    mode = text_of(call.args[1]) if len(call.args) > 1 else "r"
    path = literal(call.args[0], source.constants) if call.args else None
    named = isinstance(path, str) and _is_name(os.path.basename(path))
    return mode == "rb" or (mode == "r" and named)


def _says_something(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value in {None, False})


def _lists(source: Source) -> bool:
    for call in source.calls():
        name = name_of(call.func)
        if name.endswith("glob"):
            texts = (text_of(part) for arg in call.args for part in ast.walk(arg))
        elif name in _LISTERS:
            texts = _texts(source)
        else:
            continue
        if any(_PATTERN.search(text) for text in texts):
            return True
    return False


def _texts(source: Source) -> Iterator[str]:
    """The texts that may be part of a path, but for those of what is only written."""
    saved = {
        id(part)
        for call in source.calls()
        if _SAVERS.fullmatch(name_of(call.func))
        for arg in (*call.args, *(keyword.value for keyword in call.keywords))
        for part in ast.walk(arg)
    }
    for node in source.nodes:
        text = text_of(node)
        if text and id(node) not in saved and not any(map(str.isspace, text)):
            yield text
