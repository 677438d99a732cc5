"""How a script wants to be told to resume, as its source shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from trainctl.checkpoints.scripts.options import Option
from trainctl.checkpoints.scripts.script import Script
from trainctl.kit.resume_args import CHECKPOINT

Takes = Literal["file", "folder", "either"]

_SURE = (  # these names mean one thing
    "resume_from_checkpoint",
    "resume_from",
    "resume_path",
    "resume_checkpoint",
    "resume_ckpt",
    "resume_file",
    "resume_dir",
    "resume",
    "continue_from",
    "restart_from",
    "continue_training",
)
_LIKELY = (  # these mean it unless something says otherwise
    "load_checkpoint",
    "restore_from",
    "restore_path",
    "restore_checkpoint",
    "restore",
)
_DOUBTFUL = (  # these mean it only where something says so: many scripts save or test by them
    "ckpt_path",
    "checkpoint",
    "checkpoint_path",
    "ckpt",
    "load",
    "load_from",
    "load_path",
    "from_checkpoint",
)
_RESUMES = re.compile(
    r"\bresum|\bcontinu\w* (?:the |a |your )?(?:train|run|from)|\brestart", re.IGNORECASE
)
_ELSEWISE = re.compile(
    r"\bsav(?:e|ing)\b|\bwrit|\boutput|\bexport|\bpre-?train|fine-?tun"
    r"|\bevaluat|\btest|\bgenerat|\binfer|\bpredict",
    re.IGNORECASE,
)
_BOOLEAN = {"bool", "str2bool", "boolean", "strtobool", "str_to_bool"}
_FILE_WORDS = re.compile(r"\bfile\b|\.(?:pt|pth|ckpt|npz|safetensors)\b", re.IGNORECASE)
_FOLDER_WORDS = re.compile(r"\bfolder\b|\bdir(?:ectory)?\b", re.IGNORECASE)


class ResumeHint(NamedTuple):
    """args: what to add from the second attempt on, `{checkpoint}` standing for the path."""

    args: tuple[str, ...]
    why: str
    takes: Takes = "either"


def resume_arguments(
    script: Script, args: Sequence[str], configured: Sequence[str] | None = None
) -> ResumeHint:
    """The arguments that make this script resume; none where it shows no way that is sure enough.

    An argument that a script does not know ends it, so only what its source defines is used.
    configured: `resume_args` of the configuration, which wins.
    """
    if configured is not None:
        return ResumeHint(tuple(configured), "resume_args of the configuration")
    for way in _WAYS:
        for hint in way(script, args):
            return hint
    if "TRAINCTL_RESUME_FROM" in script.variables:
        return ResumeHint((), f"{script.name} reads TRAINCTL_RESUME_FROM")
    if not script.name:
        return ResumeHint((), "there is no Python script to read")
    return ResumeHint((), _why_not(script))


Way = Callable[[Script, Sequence[str]], Iterator[ResumeHint]]


def _by_name(names: Sequence[str], fits: Callable[[Option], bool]) -> Way:
    def way(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
        for name in names:
            for option in script.options:
                if _name(option) == name and option.reader != "lightning" and fits(option):
                    yield _hint(script, option, args)

    return way


def _takes_path(option: Option) -> bool:
    textual = option.type not in {"int", "float", *_BOOLEAN}
    return option.takes_value and textual and not option.choices


def _is_switch(option: Option) -> bool:
    """It is on or off, or takes "auto": the script then looks for the checkpoint itself."""
    return not option.takes_value or option.type in _BOOLEAN or "auto" in option.choices


def _handed_over(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    """Whatever its name: its value goes into `trainer.fit(ckpt_path=...)`."""
    for option in script.options:
        if option.dest in script.resumed and option.flags and _takes_path(option):
            yield _hint(script, option, args)


def _init_from(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    """nanoGPT: `--init_from=resume` goes on from ckpt.pt in its out_dir."""
    del args
    for option in script.options:
        if option.reader == "configurator" and option.dest == "init_from":
            yield ResumeHint(("--init_from=resume",), _why(script, "--init_from=resume"))


def _lightning(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    """Only the subcommand `fit` resumes; `test` and `validate` take the same flag to load."""
    for option in script.options:
        if option.reader == "lightning" and option.dest == "ckpt_path" and "fit" in args:
            yield ResumeHint(
                ("--ckpt_path", CHECKPOINT), f"{script.name} is a LightningCLI, with --ckpt_path"
            )


def _switched(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    """`--resume` is a switch; an option that names the checkpoint to resume is given with it."""
    path = next(_doubtful(script, args), None)
    for hint in _by_name(_SURE, _is_switch)(script, args):
        yield hint if path is None else ResumeHint(hint.args + path.args, hint.why, path.takes)


def _likely(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    def fits(option: Option) -> bool:
        always_set = option.required or option.default not in {None, "", False}
        return not _ELSEWISE.search(option.help) and not always_set

    def path(option: Option) -> bool:
        return _takes_path(option) and fits(option)

    def switch(option: Option) -> bool:
        return _is_switch(option) and fits(option)

    yield from _by_name(_LIKELY, path)(script, args)
    yield from _by_name(_LIKELY, switch)(script, args)


def _doubtful(script: Script, args: Sequence[str]) -> Iterator[ResumeHint]:
    def fits(option: Option) -> bool:
        says_so = _RESUMES.search(option.help) and not _ELSEWISE.search(option.help)
        return _takes_path(option) and bool(says_so)

    yield from _by_name((*_DOUBTFUL, *_LIKELY), fits)(script, args)


_WAYS: tuple[Way, ...] = (  # the surest first
    _by_name(_SURE, _takes_path),
    _init_from,
    _lightning,
    _handed_over,
    _switched,
    _likely,
    _doubtful,
)


def _hint(script: Script, option: Option, args: Sequence[str]) -> ResumeHint:
    flag = _spelling(option, args)
    if _takes_path(option):
        return ResumeHint((flag, CHECKPOINT), _why(script, flag), _takes(option))
    if not option.takes_value:
        return ResumeHint((flag,), _why(script, flag))
    return ResumeHint((flag, "auto" if option.choices else "true"), _why(script, flag))


def _spelling(option: Option, args: Sequence[str]) -> str:
    """The flag as the user typed it, so that it is replaced; else the first long one."""
    typed = {token.partition("=")[0] for token in args}
    preferred = sorted(
        option.flags, key=lambda flag: (flag not in typed, not flag.startswith("--"))
    )
    return preferred[0]


def _name(option: Option) -> str:
    names = [flag.lstrip("-").replace("-", "_").lower() for flag in option.flags]
    return next((name for name in names if name in (*_SURE, *_LIKELY, *_DOUBTFUL)), "")


def _takes(option: Option) -> Takes:
    if option.reader == "huggingface" or _name(option).endswith("_dir"):
        return "folder"
    file, folder = _FILE_WORDS.search(option.help), _FOLDER_WORDS.search(option.help)
    if bool(file) == bool(folder):
        return "either"
    return "file" if file else "folder"


def _why_not(script: Script) -> str:
    for option in script.options:
        if _name(option) and option.reader != "lightning":
            return (
                f"{script.name} defines {_spelling(option, ())}, but not clearly to resume by: "
                "resume_args in the configuration can say so"
            )
    return f"{script.name} defines no resume option that trainctl knows"


def _why(script: Script, flag: str) -> str:
    return f"{script.name} defines {flag}"
