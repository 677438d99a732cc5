"""What a script's source tells about its options. The script is read, never run or imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trainctl.checkpoints.scripts import habits, lookouts
from trainctl.checkpoints.scripts.frameworks import READERS, resumed_names
from trainctl.checkpoints.scripts.neighbours import imported, reached
from trainctl.checkpoints.scripts.options import SIZE_LIMIT, Option, Source, as_source, parse

FILES_LIMIT = 20  # local modules that are looked into
VARIABLE = "TRAINCTL_RESUME_FROM"
_DEFINES_OPTIONS = (b"add_argument", b"option", b"DEFINE_")
_GOES_ON = (b"load", b"restore", b"resume", b"ckpt", b"latest", b"checkpoint")
_OURS = re.compile(rb"TRAINCTL_[A-Z_]+")


class Script(NamedTuple):
    """What its source tells.

    name: as messages call it. variables: those of ours (TRAINCTL_...) that it mentions.
    resumed: the names whose values it hands to a trainer to go on from, as `ckpt` in
    `trainer.fit(model, ckpt_path=args.ckpt)`. imports: packages, by their first names. finds: it
    looks for its newest checkpoint by itself. names: the checkpoints that it looks for by name.
    is_read: it is Python, and was understood.
    """

    name: str = ""
    options: tuple[Option, ...] = ()
    variables: frozenset[str] = frozenset()
    resumed: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    finds: bool = False
    names: frozenset[str] = frozenset()
    is_read: bool = False

    @property
    def is_told(self) -> bool:
        """Whether it reads the variable that names the checkpoint."""
        return VARIABLE in self.variables


NO_SCRIPT = Script()


def read_script(path: str | None) -> Script:
    """What can be told about the script in this file, and the modules beside it that it imports.

    Never raises: of a file that is absent, hostile or no Python nothing can be told.
    """
    if path is None:
        return NO_SCRIPT
    name, text = os.path.basename(path), _read(path)
    ours = frozenset(match.decode() for match in _OURS.findall(text))
    source = parse(text)
    if source is None:
        return Script(name, variables=ours)
    options, sources, resumed = _options(source), [source], resumed_names(source)
    for helper in _helpers(source, os.path.dirname(path)):
        options += helper.options
        ours |= helper.variables
        if helper.source is not None:
            sources.append(helper.source)
            resumed |= resumed_names(helper.source)
    is_told = VARIABLE in ours
    return Script(
        name,
        tuple(options),
        ours,
        resumed,
        habits.imports(source),
        any(map(habits.finds_newest, sources)) or (not is_told and lookouts.searches(sources)),
        frozenset() if is_told else lookouts.names_in(sources),
        is_read=True,
    )


def read_options(source: bytes) -> list[Option]:
    """Every option that this source defines, in the order of the readers."""
    parsed = parse(source)
    return [] if parsed is None else _options(parsed)


def values_given(options: Sequence[Option], args: Sequence[str]) -> dict[str, str]:
    """How these arguments set the options, by dest; the last one wins, as argparse has it.

    A switch that is given reads "true". Abbreviated flags are not seen.
    """
    by_flag = {flag: option for option in options for flag in option.flags}
    values: dict[str, str] = {}
    for at, token in enumerate(args):
        if token == "--":  # noqa: S105  # what follows is positional
            break
        flag, joined, value = token.partition("=")
        option = by_flag.get(flag)
        if option is None:
            continue
        following = args[at + 1] if at + 1 < len(args) else ""
        if joined:
            values[option.dest] = value
        elif not option.takes_value:
            values[option.dest] = "true"
        elif not following.startswith("-") and option.reader != "configurator":
            values[option.dest] = following
    return values


def _options(source: Source) -> list[Option]:
    try:
        return [option for reader in READERS for option in reader(source)]
    except RecursionError:
        return []


def _read(path: str) -> bytes:
    try:
        if not os.path.isfile(path):  # a pipe or a device could be waited for, or never end
            return b""
        with open(path, "rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError):
        return b""


class _Helper(NamedTuple):
    """What a module beside the script adds; source: where it may tell how the script goes on."""

    options: list[Option]
    variables: frozenset[str]
    source: Source | None = None


def _helpers(script: Source, folder: str) -> Iterator[_Helper]:
    """The modules beside the script, as far as the script takes something from them."""
    for path, names in list(imported(script, folder).items())[:FILES_LIMIT]:
        text = _read(path)
        ours = frozenset(match.decode() for match in _OURS.findall(text))
        defines = any(word in text for word in _DEFINES_OPTIONS)
        source = parse(text) if defines or any(word in text for word in _GOES_ON) else None
        if source is None:
            yield _Helper([], ours)
        else:
            taken = as_source(reached(source.tree, names))
            yield _Helper(_options(taken) if defines else [], ours, taken)
