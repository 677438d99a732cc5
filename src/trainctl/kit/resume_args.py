"""The arguments of an attempt that resumes: what the script was given, its resume flag set."""

from __future__ import annotations

from typing import List, Sequence, Tuple

CHECKPOINT = "{checkpoint}"


def with_resume(args: Sequence[str], hint_args: Sequence[str], checkpoint: str) -> List[str]:
    """The script's arguments, so that it resumes from this checkpoint.

    args: the script's own arguments, without launcher and script. hint_args: such as
    `["--resume", "{checkpoint}"]`, `["--init_from=resume"]` or `["--resume"]`; every
    `{checkpoint}` in them is replaced. A flag that the user gave already, as `--resume X` or
    `--resume=X`, is replaced where it stands; else it is appended, before a bare `--`.
    Doing it twice is doing it once with the later checkpoint.
    """
    end = list(args).index("--") if "--" in args else len(args)
    mine, rest = list(args[:end]), list(args[end:])
    for group in _groups(hint_args):
        filled = [token.replace(CHECKPOINT, checkpoint) for token in group]
        at, mine = _without(mine, group)
        mine[at:at] = filled
    return mine + rest


def _groups(hint_args: Sequence[str]) -> List[List[str]]:
    """Each flag with the values that follow it."""
    groups: List[List[str]] = []
    for token in hint_args:
        if groups and not _is_flag(token) and "=" not in token.split(CHECKPOINT)[0]:
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


def _without(args: Sequence[str], group: Sequence[str]) -> Tuple[int, List[str]]:
    """The arguments without this flag and its values, and where the first of them stood."""
    name, joined, _ = group[0].partition("=")
    values = max(len(group) - 1, 1 if joined else 0)
    kept: List[str] = []
    first = -1
    at = 0
    while at < len(args):
        token = args[at]
        at += 1
        if token != name and not token.startswith(name + "="):
            kept.append(token)
            continue
        first = len(kept) if first < 0 else first
        if token == name and name.startswith("-"):
            at += _leading_values(args[at : at + values])
    return (first if first >= 0 else len(kept)), kept


def _leading_values(tokens: Sequence[str]) -> int:
    for count, token in enumerate(tokens):
        if _is_flag(token):
            return count
    return len(tokens)


def _is_flag(token: str) -> bool:
    return token.startswith("-") and len(token) > 1 and not token[1].isdigit()
