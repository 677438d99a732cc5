"""Options of ours that were typed where the script's arguments stand: said, not handed over."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from trainctl.checkpoints.scripts.script import read_script
from trainctl.control.wiring import Here
from trainctl.errors import UsageError
from trainctl.kit.names import RunFolder
from trainctl.records import record
from trainctl.records.job import Job


class Verb(NamedTuple):
    """A command that passes arguments on. Options: each with whether it takes a value.

    ours: the options of its own; of_run: those of `trainctl run`.
    """

    name: str
    ours: Mapping[str, bool]
    of_run: Mapping[str, bool]


class _Misplaced(NamedTuple):
    name: str
    moved: Sequence[str]
    rest: Sequence[str]


def run_among(here: Here, arguments: Sequence[str]) -> RunFolder | None:
    """The run whose whole name stands among the arguments, where RUN was left out."""
    for word in arguments:
        if word == "--":
            return None
        if word and "/" not in word and not word.startswith((".", "-")):
            run = here.home.run(word)
            if record.exists(run):
                return run
    return None


def refuse_late(verb: Verb, job: Job, arguments: Sequence[str]) -> NoReturn:
    """Raise UsageError: this job's run was named, but behind what the newest run would get."""
    at = list(arguments).index(job.name)
    others = [*arguments[:at], *arguments[at + 1 :]]
    refuse(verb, job, None, others)
    raise UsageError(
        f"{job.name} stands among the arguments of the script; RUN stands before them",
        hint=f"{_line(verb.name, job.name, *others)}; if it is meant for the script of the newest "
        f"run: {_line(verb.name, '--', *arguments)}",
    )


def refuse(verb: Verb, job: Job, run: str | None, arguments: Sequence[str]) -> None:
    """Raise UsageError with the corrected line, where an argument can only be meant for us.

    run: as typed, None where it was left out. What the script's source defines is the script's,
    and so is everything where its source shows no options at all.
    """
    known = {flag for option in read_script(job.source).options for flag in option.flags}
    if not known:
        return
    found = _first(arguments, {**verb.of_run, **verb.ours}, known)
    if found is None:
        if run is None and arguments:
            _refuse_typo(verb, arguments, known)
        return
    if found.name in verb.ours:
        raise UsageError(
            f"{found.name} is an option of trainctl {verb.name} and stands before RUN",
            hint=_line(verb.name, *found.moved, run or job.name, *found.rest),
        )
    raise UsageError(
        f"{found.name} is an option of trainctl run, and not one of trainctl {verb.name}",
        hint=f"a new run with it: {_anew(verb, job, found)}; "
        f"what is the script's stands behind --: {_line(verb.name, job.name, '--', *arguments)}",
    )


def _first(
    arguments: Sequence[str], options: Mapping[str, bool], known: set[str]
) -> _Misplaced | None:
    """The first of these options that the script does not know."""
    for at, word in enumerate(arguments):
        name = word.partition("=")[0]
        if word == "--":
            return None
        if name in options and name not in known:
            end = at + 2 if options[name] and name != "--wait" and "=" not in word else at + 1
            return _Misplaced(name, arguments[at:end], [*arguments[:at], *arguments[end:]])
    return None


def _anew(verb: Verb, job: Job, found: _Misplaced) -> str:
    """The line of a new run with this option, which `resume` lets begin where the old one is."""
    begins = ["--resume", job.name] if verb.name == "resume" and found.name != "--resume" else []
    return _line("run", *found.moved, *begins, *job.typed, *found.rest)


def _refuse_typo(verb: Verb, arguments: Sequence[str], known: set[str]) -> None:
    """Without RUN before it, an option is more likely a mistyped one of ours."""
    import difflib

    name = arguments[0].partition("=")[0]
    begins = any(flag.startswith(name) for flag in known)  # argparse takes abbreviations
    close = difflib.get_close_matches(name, [flag for flag in verb.ours if len(flag) > 2], 1, 0.7)
    if close and not begins:
        script = _line(verb.name, "--", *arguments)
        raise UsageError(
            f"neither trainctl {verb.name} nor the script has an option {name}",
            hint=f"did you mean {close[0]}? What is the script's: {script}",
        )


def _line(*words: str) -> str:
    return f"trainctl {shlex.join(word.encode('utf-8', 'replace').decode() for word in words)}"
