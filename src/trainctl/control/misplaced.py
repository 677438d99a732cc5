"""Options of ours that were typed where the script's arguments stand: said, not handed over."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from trainctl.checkpoints.scripts.script import read_script
from trainctl.errors import UsageError
from trainctl.records.job import Job


def refuse(
    verb: str, job: Job, run: str | None, arguments: Sequence[str], ours: Mapping[str, bool]
) -> None:
    """Raise UsageError with the corrected line, where an argument can only be meant for us.

    ours: the options of the verb, and whether each takes a value. run: as typed, None where it was
    left out. What the script's source defines is the script's, and so is everything where its
    source shows no options at all.
    """
    known = {flag for option in read_script(job.source).options for flag in option.flags}
    if not known:
        return
    for at, word in enumerate(arguments):
        name = word.partition("=")[0]
        if word == "--":
            return
        if name in ours and name not in known:
            end = at + 2 if ours[name] and "=" not in word else at + 1
            moved, rest = arguments[at:end], [*arguments[:at], *arguments[end:]]
            raise UsageError(
                f"{name} is an option of trainctl {verb} and stands before RUN",
                hint=_line(verb, *moved, run or job.name, *rest),
            )
    if run is None and arguments:
        _refuse_typo(verb, arguments, known, ours)


def _refuse_typo(
    verb: str, arguments: Sequence[str], known: set[str], ours: Mapping[str, bool]
) -> None:
    """Without RUN before it, an option is more likely a mistyped one of ours."""
    import difflib

    name = arguments[0].partition("=")[0]
    begins = any(flag.startswith(name) for flag in known)  # argparse takes abbreviations
    close = difflib.get_close_matches(name, [flag for flag in ours if len(flag) > 2], 1, 0.7)
    if close and not begins:
        raise UsageError(
            f"neither trainctl {verb} nor the script has an option {name}",
            hint=f"did you mean {close[0]}? What is the script's: {_line(verb, '--', *arguments)}",
        )


def _line(*words: str) -> str:
    return f"trainctl {shlex.join(word.encode('utf-8', 'replace').decode() for word in words)}"
