"""Which checkpoints a word on the command line means: a path, a run, or a URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from trainctl.errors import NotFoundError, RefusedError, UsageError
from trainctl.kit.names import Home, RunFolder

PATH, RUN, URL = "path", "run", "url"
_FEW = 20  # names that tell what a folder is
_CLOSE = 2000  # names of one folder among which a mistyped one is looked for


class Ground(NamedTuple):
    """Where a command stands, as far as looking at a path needs it: no settings are read."""

    cwd: str
    environ: Mapping[str, str]
    home: Home


class Target(NamedTuple):
    """What a word means. path: absolute; of a URL, that; of a run, its folder.

    A folder that is a store, or lies in one, counts as its URL.
    """

    kind: str
    text: str
    path: str

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.path)


def ground(cwd: str, environ: Mapping[str, str]) -> Ground:
    """Raises ConfigError where the user's own settings name the state folder, and are wrong."""
    return Ground(cwd, environ, Home(_home(cwd, environ)))


def _home(cwd: str, environ: Mapping[str, str]) -> str:
    """Only the user's own file may name another folder; most have none, or do not."""
    named = environ.get("TRAINCTL_HOME", "")
    if named and not named.startswith("~"):
        return os.path.join(cwd, named)
    from trainctl.config import places

    if named:
        return os.path.join(cwd, places.expanded(named, environ))
    try:
        with open(places.user_place(cwd, environ).path, "rb") as file:
            may_name = b"home" in file.read()
    except OSError:
        may_name = False
    if not may_name:
        return places.expanded("~/.trainctl", environ)
    from trainctl.config import load

    return load(cwd, environ).home


def resolve(where: Ground, text: str | None) -> Target:
    """What this word means. A path that is there wins over a run; None is the newest run.

    `RUN/NAME` and `RUN/STEP` are checkpoints of a run, by their own name or their step.
    Where there is no run yet, None is the current folder. Raises NotFoundError with what is close,
    UsageError where several runs begin so, RefusedError as `refuse_unfinished` does.
    """
    if text is None:
        return _newest(where)
    if "://" in text and not text.startswith("file://"):
        return Target(URL, text, text)
    path = os.path.join(where.cwd, os.path.expanduser(text.removeprefix("file://")))
    if os.path.lexists(path):
        path = os.path.normpath(path)
        refuse_unfinished(path)
        return Target(URL if is_shelved(path) else PATH, text, path)
    run = _run(where, text)
    if run is not None:
        return Target(RUN, run.name, run.path)
    inside = in_run(where, text)
    if inside is not None:
        return Target(PATH, inside.removeprefix(where.cwd + os.sep), inside)
    raise NotFoundError(f"there is no checkpoint, folder or run {text!r}", hint=_hint(path, where))


def given(where: Ground, text: str | None, command: str) -> Target:
    """As `resolve`, for a command that looks into what is named, and not around.

    Raises NotFoundError where nothing is named, and there is no run yet.
    """
    target = resolve(where, text)
    if text is None and target.kind == PATH:
        raise NotFoundError(
            "there is no run yet, and no checkpoint is named",
            hint=f"trainctl checkpoint {command} PATH, such as out/last.pt",
        )
    return target


def local(where: Ground, text: str) -> str:
    """The path of one checkpoint, for what works on files only; it may be told as `RUN/NAME`.

    Raises NotFoundError.
    """
    path = os.path.join(where.cwd, os.path.expanduser(text.removeprefix("file://")))
    if not os.path.lexists(path):
        inside = in_run(where, text)
        if inside is not None:
            return inside
        raise NotFoundError(f"there is no checkpoint {text!r}", hint=_hint(path, where))
    return os.path.normpath(path)


def in_run(where: Ground, text: str) -> str | None:
    """The path of the checkpoint that is called so, or has that step; None where no run is meant.

    Raises NotFoundError where the run has none such.
    """
    name, _, wanted = text.partition("/")
    if not wanted or "/" in wanted or name.startswith((".", "~")):
        return None
    try:
        run = _run(where, name)
    except UsageError:  # several begin so: then it was a path that is not there
        return None
    if run is None:
        return None
    from trainctl.kit import candidates
    from trainctl.records import job as jobs

    found = candidates.of_run(run, jobs.read(run).to_json())
    meant = [one for one in found if os.path.basename(one.path) == wanted]
    if wanted.isascii() and wanted.isdigit():
        meant = meant or [one for one in found if one.step == int(wanted[:18])]
    if meant:
        return meant[0].path
    if os.path.isdir(os.path.join(where.cwd, name)):
        return None
    raise NotFoundError(
        f"run {run.name} has no checkpoint {wanted!r}", hint=f"trainctl checkpoint list {run.name}"
    )


def is_shelved(path: str) -> bool:
    """Whether this folder is a store's: its root, a run's place in it, or one checkpoint's.

    In a store that is a folder, checkpoints lie deeper than others, and beside their manifests.
    """
    above, name = os.path.split(path)
    if os.path.isdir(os.path.join(path, "runs")):
        return _holds_keys(path, "")
    if name == "runs":
        return _holds_keys(above, "")
    if os.path.basename(above) == "runs":
        return _holds_keys(os.path.dirname(above), name)
    runs, run = os.path.split(above)
    return os.path.basename(runs) == "runs" and _holds_keys(os.path.dirname(runs), f"{run}/{name}")


def refuse_unfinished(path: str) -> None:
    """Raises RefusedError for a checkpoint in a folder store, or a part of it, that is not whole.

    The manifest is put last: without it nobody knows what is still to come.
    """
    path = os.path.realpath(path)
    if "/runs/" not in path:
        return
    from trainctl.kit.stores import layout

    parts = path.split("/")
    for end in range(3, len(parts) + 1):
        folder = "/".join(parts[:end])
        if not layout.is_key("/".join(parts[end - 3 : end])):
            continue
        begun = os.path.isdir(os.path.join(folder, "data"))
        if begun and not os.path.lexists(os.path.join(folder, layout.MANIFEST)):
            raise RefusedError(
                f"{folder} is not whole: its push goes on, or was cut: there is no manifest",
                hint="wait for that push, or push it again: trainctl checkpoint push",
            )


def _holds_keys(root: str, within: str) -> bool:
    """Whether there is a checkpoint in a store's `runs/`; a few of its names tell."""
    from trainctl.kit.stores import layout

    if layout.is_key(f"runs/{within}"):
        return os.path.isfile(os.path.join(root, "runs", within, layout.MANIFEST))
    try:
        runs = [within] if within else os.listdir(os.path.join(root, "runs"))[:_FEW]
        keys = [f"runs/{run}/{n}" for run in runs for n in os.listdir(f"{root}/runs/{run}")[:_FEW]]
    except OSError:
        return False
    return any(map(layout.is_key, keys))


def _newest(where: Ground) -> Target:
    if os.path.isdir(where.home.runs):
        run = _run(where, None)
        if run is not None:
            return Target(RUN, run.name, run.path)
    return Target(PATH, ".", where.cwd)


def _run(where: Ground, text: str | None) -> RunFolder | None:
    from trainctl.control import lookup
    from trainctl.control.wiring import connect

    if text is not None and ("/" in text or not os.path.isdir(where.home.runs)):
        return None
    try:
        return lookup.find(connect(where.cwd, where.environ), text)
    except NotFoundError:
        return None


def _hint(path: str, where: Ground) -> str:
    """What may have been meant: a name that is close to it in the nearest folder that is there."""
    import difflib

    folder, name = os.path.split(path)
    while not os.path.isdir(folder):
        folder, name = os.path.split(folder)
    try:
        names = os.listdir(folder)[:_CLOSE]
    except OSError:
        names = []
    close = difflib.get_close_matches(name, names, 3, 0.6)
    if not close:
        return "trainctl checkpoint list"
    near = [os.path.relpath(os.path.join(folder, found), where.cwd) for found in close]
    return f"did you mean {' or '.join(near)}?"
