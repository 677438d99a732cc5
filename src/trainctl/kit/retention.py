"""Which checkpoints stay, and why: a pure question, for the agent, the command and a store alike.

No reason: it may be removed. Rules give reasons, and guards do, which no rule overrides.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

YOUNG_SECONDS = 3600.0
PASSING = "its script overwrites it, and may look for it"
NAMELESS = "its name tells no step: a script may look for it"
_VERIFIED = 2  # so many of the newest stay whatever is asked
_FEW = "fewer than two are verified: trainctl checkpoint verify RUN-or-PATH"


class Best(NamedTuple):
    many: int
    metric: str
    lowest: bool

    def __str__(self) -> str:
        return f"{self.many}:{self.metric}:{'min' if self.lowest else 'max'}"


class Policy(NamedTuple):
    """What a user asks to keep; several rules keep what any of them keeps.

    max_size: bytes of all together. It frees what only keep_last and keep_every keep, oldest
    first, and where it stands alone, everything but the guarded.
    """

    keep_last: Optional[int] = None
    keep_best: Optional[Best] = None
    keep_every: Optional[int] = None
    max_size: Optional[int] = None

    @property
    def says_nothing(self) -> bool:
        return all(rule is None for rule in self)


class Kept(NamedTuple):
    """One checkpoint, as much of it as rules ask for.

    key: its path, or its key in a store. content: equal for equal content; a copy counts once.
    made: seconds since 1970. diverged: its step is at or after the first NaN of its run.
    copy: a copy of another, or soon overwritten: where there is another of its content, that one
    counts.
    held: why it must stay whatever the rules say, in words; empty where nothing holds it.
    """

    key: str
    made: float
    size: int
    step: Optional[int] = None
    attempt: Optional[int] = None
    metrics: Mapping[str, float] = {}
    content: Optional[str] = None
    verified: bool = False
    diverged: bool = False
    copy: bool = False
    held: Sequence[str] = ()


def best_of(text: str) -> Best:
    """Read `N:METRIC:min|max`. Raises ValueError, whose message says what is wrong."""
    count, _, rest = text.partition(":")
    metric, _, which = rest.rpartition(":")
    if not count.isdecimal() or not 0 < int(count) < 10**9:
        raise ValueError("N must be a whole number above zero")
    if not metric or which not in {"min", "max"}:
        raise ValueError("after N come the metric's name and min or max")
    return Best(int(count), metric, which == "min")


def policy_of(value: Optional[Mapping[str, Any]]) -> Policy:
    """A policy as `to_json` wrote it. Raises ValueError for another value."""
    known = dict(value or {})
    best = known.get("keep_best")
    return Policy(
        known.get("keep_last"),
        None if best is None else best_of(str(best)),
        known.get("keep_every"),
        known.get("max_size"),
    )


def to_json(policy: Policy) -> Dict[str, Any]:
    best = policy.keep_best
    return {**policy._asdict(), "keep_best": None if best is None else str(best)}


def told(policy: Policy) -> str:
    """The rules as they are set: `keep_last 3, max_size 5000`."""
    rules = zip(Policy._fields, policy)
    return ", ".join(f"{name} {rule}" for name, rule in rules if rule is not None) or "none"


def has_diverged(metrics: Mapping[str, float], step: Optional[int], since: Optional[int]) -> bool:
    """Whether it is of no use: a loss in it is no number, or was none before.

    since: the step from which on the loss of its attempt is none, where that is known.
    """
    if since is not None and (step is None or step >= since):
        return True
    return any("loss" in name and not math.isfinite(value) for name, value in metrics.items())


def reasons_to_keep(found: Iterable[Kept], policy: Policy, now: float) -> Dict[str, List[str]]:
    """Map every checkpoint's key to its reasons to stay. No reason: it may be removed.

    found: all of one run or one folder, since rules count what they are given.
    """
    ordered = newest_first(found)
    reasons: Dict[str, List[str]] = {one.key: [] for one in ordered}
    if policy.says_nothing:
        return {key: ["no rule is set"] for key in reasons}
    rule = unmeasured(ordered, policy)
    if rule is not None and policy._replace(keep_best=None).says_nothing:
        return {key: [f"none here has {rule.metric}"] for key in reasons}
    guarded = _note(reasons, _guards(ordered, now)) | _note(reasons, _best(ordered, policy))
    if policy._replace(max_size=None).says_nothing:
        _note(reasons, [(one, "there is room") for one in ordered])
    _note(reasons, _by_rule(ordered, policy))
    if policy.max_size is not None:
        _make_room(ordered, reasons, guarded, policy.max_size)
    return reasons


def unmeasured(found: Iterable[Kept], policy: Policy) -> Optional[Best]:
    """The rule for the best, where none of these has a value of its metric."""
    rule = policy.keep_best
    if rule is None or any(math.isfinite(_measure(one, rule)) for one in found):
        return None
    return rule


def newest_first(found: Iterable[Kept]) -> List[Kept]:
    """By attempt, then by step where all tell one, then by time."""
    there = list(found)
    by_step = all(one.step is not None for one in there)

    def place(one: Kept) -> Tuple[int, int, float, bool, str]:
        step = (one.step or 0) if by_step else 0
        return (one.attempt or 0, step, one.made, not one.copy, one.key)

    return sorted(there, key=place, reverse=True)


_Reasons = List[Tuple[Kept, str]]


def _note(reasons: Dict[str, List[str]], noted: _Reasons) -> Set[str]:
    for one, reason in noted:
        reasons[one.key].append(reason)
    return {one.key for one, _ in noted}


def _guards(ordered: List[Kept], now: float) -> _Reasons:
    noted: _Reasons = [(one, reason) for one in ordered for reason in one.held]
    noted += [(one, "younger than an hour") for one in ordered if now - one.made < YOUNG_SECONDS]
    verified = _distinct([one for one in ordered if one.verified])
    noted += [(one, "among the last two verified") for one in verified[:_VERIFIED]]
    if len(verified) < _VERIFIED:
        others = [one for one in _distinct(ordered) if not one.verified]
        noted += [(one, _FEW) for one in others[: _VERIFIED - len(verified)]]
    sound = [one for one in ordered if not one.diverged]
    if sound and len(sound) < len(ordered):
        newest = next((one for one in sound if one.verified), sound[0])
        noted.append((newest, "the newest before the first NaN"))
    return noted


def _best(ordered: List[Kept], policy: Policy) -> _Reasons:
    rule = policy.keep_best
    if rule is None:
        return []
    told = _distinct([one for one in ordered if math.isfinite(_measure(one, rule))])
    told.sort(key=lambda one: _measure(one, rule), reverse=not rule.lowest)  # stable: newest first
    what = f"{'lowest' if rule.lowest else 'highest'} {rule.metric}"
    return [
        (
            one,
            f"{what} {_measure(one, rule):g}"
            if rule.many == 1
            else f"among the {rule.many} of {what}, {_measure(one, rule):g}",
        )
        for one in told[: rule.many]
    ]


def _measure(one: Kept, rule: Best) -> float:
    return one.metrics.get(rule.metric, math.nan)


def _by_rule(ordered: List[Kept], policy: Policy) -> _Reasons:
    noted: _Reasons = []
    if policy.keep_last is not None:
        newest = _distinct(ordered)[: policy.keep_last]
        noted += [(one, f"among the last {policy.keep_last}") for one in newest]
    if policy.keep_every:
        every = policy.keep_every
        due = [one for one in ordered if one.step is not None and one.step % every == 0]
        noted += [(one, f"a step of every {every}") for one in _distinct(due)]
    return noted


def _distinct(ordered: List[Kept]) -> List[Kept]:
    """Equal content counts once: the newest that is no copy, else the newest."""
    chosen: Dict[str, Kept] = {}
    for one in ordered:
        content = one.content if one.content is not None else f"at {one.key}"
        if content not in chosen or (chosen[content].copy and not one.copy):
            chosen[content] = one
    keys = {one.key for one in chosen.values()}
    return [one for one in ordered if one.key in keys]


def _make_room(
    ordered: List[Kept], reasons: Dict[str, List[str]], guarded: Set[str], limit: int
) -> None:
    """Take the oldest's reasons away until what is left fits."""
    total = sum(one.size for one in ordered if reasons[one.key])
    for one in reversed(ordered):
        if total <= limit:
            return
        if reasons[one.key] and one.key not in guarded:
            reasons[one.key] = []
            total -= one.size
