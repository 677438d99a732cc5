"""A first trainctl.toml for a project: what was found, as comments, and what is worth setting."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from trainctl.checkpoints.scripts.folders import USUAL, VARIABLE, checkpoint_folders
from trainctl.checkpoints.scripts.resume import ResumeHint, resume_arguments
from trainctl.checkpoints.scripts.script import Script, read_script
from trainctl.config import KEYS, Key, toml
from trainctl.control.pythons import World, choose_python, project_root
from trainctl.control.survey import Candidate, scripts
from trainctl.errors import NotFoundError
from trainctl.kit import checkpoints
from trainctl.kit.gpus import Cards

_OTHERS = 4  # further scripts that the proposal names


class Proposal(NamedTuple):
    """text: of trainctl.toml. findings: a line each, for people. script: the likeliest, if any."""

    text: str
    findings: tuple[str, ...]
    script: str | None


class Idea(NamedTuple):
    """What to say about a key. active: set it; otherwise it stays a comment."""

    reason: str
    value: object = None
    active: bool = False


def propose(world: World, cards: Cards) -> Proposal:
    """The proposal for the project in world.cwd. Looks at files only: runs and writes nothing."""
    found = scripts(world.cwd)
    best = found[0] if found else None
    path = os.path.join(world.cwd, best.path) if best else None
    script = read_script(path)
    hint = resume_arguments(script, [])
    ideas = {
        "python": _python(world, path),
        "checkpoint_dir": _folder(script, world.cwd),
        "resume_args": _resume(hint, script),
        "retries": _retries(hint, script),
        "gpus": _gpus(cards),
        "env": _variables(best),
        "env_file": _env_file(world.cwd),
    }
    findings = (
        *_about_scripts(found),
        *(f"{name}: {idea.reason}" for name, idea in ideas.items() if idea.reason),
        _about_git(world.cwd),
    )
    return Proposal(_text(found, ideas), tuple(_plain(it) for it in findings), path)


def _python(world: World, script: str | None) -> Idea:
    try:
        python = choose_python(world, None, script)
    except NotFoundError as error:
        return Idea(f"none found here ({error.message})")
    return Idea(f"found by itself ({python.why})")


def _folder(script: Script, cwd: str) -> Idea:
    told = checkpoint_folders(script, [], cwd, None, "")
    if told.first:
        shown = os.path.relpath(told.first, cwd)
        return Idea(f"found by itself ({told.why})", shown)
    if VARIABLE in script.variables:
        return Idea(f"not needed: {script.name} reads {VARIABLE}")
    there = checkpoints.scan([entry.path for entry in _folders(cwd)])
    if not there:
        return Idea("the script shows none; watched anyway: " + ", ".join(USUAL))
    holds = os.path.relpath(there[-1].path, cwd).split(os.sep)[0]
    return Idea(f"{holds} holds checkpoints already", holds, active=holds not in USUAL)


def _folders(cwd: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(cwd) as entries:
            return [it for it in entries if it.is_dir() and not it.name.startswith(".")]
    except OSError:
        return []


def _resume(hint: ResumeHint, script: Script) -> Idea:
    if hint.args:
        return Idea(f"found by itself ({hint.why})", hint.args)
    if "TRAINCTL_RESUME_FROM" in script.variables:
        return Idea(f"not needed: {hint.why}")
    return Idea(f"{hint.why}; set this if it can resume")


def _retries(hint: ResumeHint, script: Script) -> Idea:
    if hint.args or "TRAINCTL_RESUME_FROM" in script.variables:
        reason = "a crash costs only the time since the last checkpoint, as it can resume"
        return Idea(reason, 2, active=True)
    return Idea("no way to resume is known, so that another try would begin anew")


def _gpus(cards: Cards) -> Idea:
    if not cards.cards:
        return Idea("no GPU was seen on this machine")
    names = ", ".join(sorted({card.name for card in cards.cards}))
    return Idea(f"{len(cards.cards)} here ({names}); a run without this claims none", 1)


def _variables(best: Candidate | None) -> Idea:
    if best is None or not best.secrets:
        return Idea("")
    reason = f"{best.path} asks for {', '.join(best.secrets)}; values are never recorded"
    return Idea(reason, best.secrets)


def _env_file(cwd: str) -> Idea:
    has = os.path.isfile(os.path.join(cwd, ".env"))
    return (
        Idea("there is a .env, which is not read unless you say so", ".env") if has else Idea("")
    )


def _about_scripts(found: list[Candidate]) -> list[str]:
    if not found:
        return ["no script that trains was found; name yours: trainctl run SCRIPT"]
    first, others = found[0], [candidate.path for candidate in found[1 : _OTHERS + 1]]
    lines = [f"{first.path} seems to be the training script: {', '.join(first.reasons)}"]
    return [*lines, f"other candidates: {', '.join(others)}"] if others else lines


def _about_git(cwd: str) -> str:
    if os.path.lexists(os.path.join(project_root(cwd), ".git")):
        return "git: commit and uncommitted changes are recorded with every run"
    return "git: none here, so that runs cannot say what code they ran; try: git init"


def _text(found: list[Candidate], ideas: dict[str, Idea]) -> str:
    lines = [
        "# How trainctl runs this project. Every key may be left out; options of a command win.",
        "# Check it with: trainctl config validate. See what holds, and why: trainctl config show",
        *(f"# {_plain(line)}" for line in _about_scripts(found)),
    ]
    for key in KEYS:
        if key.project:
            lines += ["", *_about_key(key, ideas.get(key.name, Idea("")))]
    return "\n".join(lines) + "\n"


def _about_key(key: Key, idea: Idea) -> list[str]:
    value = key.example if idea.value is None else toml(idea.value)
    reason = [f"# Here: {_plain(idea.reason)}."] if idea.reason else []
    return [f"# {key.help}", *reason, f"{'' if idea.active else '# '}{key.name} = {_plain(value)}"]


def _plain(text: str) -> str:
    """One printable line: names of files may hold anything."""
    told = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", "?", told)
