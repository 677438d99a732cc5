"""Retention: what rules keep, what no rule may touch, and that something is always left."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import retention
from trainctl.kit.retention import Best, Kept, Policy, reasons_to_keep

NOW = 1e9
OLD = NOW - 10 * retention.YOUNG_SECONDS


def seen(step: int, **known: object) -> Kept:
    """An old, verified checkpoint of 10 bytes; later steps are newer."""
    base = Kept(f"step-{step}", OLD + step, 10, step=step, content=str(step), verified=True)
    return base._replace(**known)


def left(found: list[Kept], policy: Policy) -> set[int | None]:
    reasons = reasons_to_keep(found, policy, NOW)
    return {one.step for one in found if reasons[one.key]}


def test_without_a_rule_everything_stays():
    assert left([seen(n) for n in range(5)], Policy()) == set(range(5))


def test_what_any_rule_keeps_stays():
    found = [seen(n, metrics={"loss": float(abs(n - 4))}) for n in range(1, 11)]
    policy = Policy(keep_last=1, keep_best=Best(1, "loss", lowest=True), keep_every=5)
    assert left(found, policy) == {4, 5, 9, 10}  # 9: the last two verified


def test_each_reason_is_told():
    found = [seen(n, metrics={"acc": n / 10}) for n in range(1, 5)]
    policy = Policy(keep_last=1, keep_best=Best(2, "acc", lowest=False), keep_every=4)
    assert reasons_to_keep(found, policy, NOW)["step-4"] == [
        "among the last two verified",
        "among the 2 of highest acc, 0.4",
        "among the last 1",
        "a step of every 4",
    ]


def test_a_nan_is_no_best_value():
    found = [seen(1, metrics={"loss": math.nan}), seen(2, metrics={"loss": 2.0})]
    found += [seen(n) for n in (3, 4)]
    assert left(found, Policy(keep_best=Best(2, "loss", lowest=True))) == {2, 3, 4}


def test_a_limit_frees_the_oldest_and_the_best_never():
    found = [seen(n, metrics={"loss": float(n)}) for n in range(1, 11)]
    assert left(found, Policy(max_size=45)) == {7, 8, 9, 10}
    best = Policy(keep_last=10, keep_best=Best(1, "loss", lowest=True), max_size=45)
    assert left(found, best) == {1, 8, 9, 10}


def test_what_is_held_young_or_before_the_first_nan_stays():
    found = [seen(n, diverged=n > 3) for n in range(1, 9)]
    found[0] = found[0]._replace(held=["pinned"])
    found[5] = found[5]._replace(made=NOW - 60)
    reasons = reasons_to_keep(found, Policy(keep_last=1), NOW)
    assert reasons["step-1"] == ["pinned"]
    assert reasons["step-3"] == ["the newest before the first NaN"]
    assert reasons["step-6"] == ["younger than an hour"]
    assert reasons["step-4"] == reasons["step-5"] == []


def test_a_copy_is_not_kept_for_what_its_original_is_there_for():
    original = seen(7, content="same")
    copy = original._replace(key="kept", copy=True)
    reasons = reasons_to_keep([copy, original, seen(5), seen(6)], Policy(keep_last=1), NOW)
    assert (reasons["kept"], bool(reasons["step-7"]), bool(reasons["step-6"])) == ([], True, True)


def test_what_is_soon_overwritten_does_not_stand_in_for_what_stays():
    found = [seen(3), seen(4), seen(4)._replace(key="last", made=OLD + 5, step=None, copy=True)]
    reasons = reasons_to_keep(found, Policy(keep_last=1), NOW)
    assert (reasons["last"], bool(reasons["step-4"]), bool(reasons["step-3"])) == ([], True, True)


def test_where_none_is_verified_the_newest_two_stay():
    found = [seen(n, verified=False) for n in range(6)]
    assert left(found, Policy(keep_last=1)) == {4, 5}


def test_without_steps_time_orders():
    found = [seen(n)._replace(step=None, key=str(n)) for n in range(4)]
    reasons = reasons_to_keep(found, Policy(keep_last=3), NOW)
    assert [key for key, why in sorted(reasons.items()) if why] == ["1", "2", "3"]


MEASURE = st.sampled_from([math.nan, math.inf, 0.0, 0.5, 1.0, 2.0])
CHECKPOINTS = st.lists(
    st.builds(
        Kept,
        key=st.integers(0, 99).map(str),
        made=st.integers(0, int(NOW)).map(float),
        size=st.integers(0, 10**12),
        step=st.none() | st.integers(0, 50),
        attempt=st.none() | st.integers(1, 3),
        metrics=st.fixed_dictionaries({}, optional={"loss": MEASURE, "acc": MEASURE}),
        content=st.none() | st.sampled_from("abcdef"),
        verified=st.booleans(),
        diverged=st.booleans(),
        copy=st.booleans(),
        held=st.sampled_from([(), ("pinned",)]),
    ),
    max_size=12,
    unique_by=lambda one: one.key,
)
COUNT = st.none() | st.integers(1, 5)
BEST = st.builds(Best, st.integers(1, 3), st.sampled_from(["loss", "acc"]), st.booleans())
POLICIES = st.builds(Policy, COUNT, st.none() | BEST, COUNT, st.none() | st.integers(0, 10**12))


@given(CHECKPOINTS, POLICIES, st.integers(1, 3))
def test_however_often_it_prunes_there_is_one_left_to_go_on_from(
    found: list[Kept], policy: Policy, times: int
):
    kept = found
    for _ in range(times):
        reasons = reasons_to_keep(kept, policy, NOW)
        assert set(reasons) == {one.key for one in kept}
        kept = [one for one in kept if reasons[one.key]]
    assert bool(kept) == bool(found)
    verified = {one.content or one.key for one in found if one.verified}
    still = {one.content or one.key for one in kept if one.verified}
    assert len(still) >= min(2, len(verified))
    if any(not one.diverged for one in found):
        assert any(not one.diverged for one in kept)


@given(CHECKPOINTS, POLICIES)
def test_what_is_held_or_best_stays_under_every_policy(found: list[Kept], policy: Policy):
    reasons = reasons_to_keep(found, policy, NOW)
    assert all(reasons[one.key] for one in found if one.held)
    best = policy.keep_best
    if best is not None:
        told = {one.metrics[best.metric] for one in found if best.metric in one.metrics}
        finite = [value for value in told if math.isfinite(value)]
        there = [one.metrics.get(best.metric) for one in found if reasons[one.key]]
        assert not finite or (min(finite) if best.lowest else max(finite)) in there


@pytest.mark.parametrize("text", ["2:val_loss:min", "1:a:b:max"])
def test_a_rule_for_the_best_is_read_as_it_is_written(text: str):
    assert str(retention.best_of(text)) == text
    policy = Policy(keep_last=2, keep_best=retention.best_of(text), max_size=5)
    assert retention.policy_of(retention.to_json(policy)) == policy


@pytest.mark.parametrize("text", ["", "2", "2:loss", "0:loss:min", "x:loss:min", "2::min"])
def test_what_is_no_rule_for_the_best_is_refused(text: str):
    with pytest.raises(ValueError, match="N"):
        retention.best_of(text)


def test_for_a_metric_that_none_has_nothing_goes():
    found = [seen(n, metrics={"loss": float(n)}) for n in range(1, 9)]
    rule = Best(1, "los", lowest=True)
    assert retention.unmeasured(found, Policy(keep_best=rule)) == rule
    assert left(found, Policy(keep_best=rule)) == set(range(1, 9))
    assert left(found, Policy(keep_last=3, keep_best=rule)) == {6, 7, 8}
