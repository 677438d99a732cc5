"""Which checkpoints are a run's own, where others write into the same folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.kit.test_choosing import START, Bench
from trainctl.kit import candidates, files

BIGGER = b"\x80\x02K\x01K\x02."


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def own(bench: Bench) -> list[str]:
    return sorted(os.path.basename(one.path) for one in candidates.of_run(bench.run, bench.job))


def noted(bench: Bench, path: Path) -> Path:
    bench.note(bench.run.attempt(1).checkpoints)
    assert path.name in own(bench)
    return path


def touch(path: Path, at: float) -> None:
    os.utime(path, (START + at, START + at))


def test_what_was_written_after_its_attempts_is_not_its_own(bench: Bench):
    bench.save("step_1.pt", 100)
    bench.save("step_2.pt", 950)  # between its two attempts
    bench.save("step_3.pt", 5000)

    assert own(bench) == ["step_1.pt"]


def test_what_another_run_has_hashed_is_never_its_own(bench: Bench):
    bench.save("step_1.pt", 100)
    bench.save("step_2.pt", 200, run="other", attempt=1)

    assert own(bench) == ["step_1.pt"]


def test_nor_is_what_another_run_wrote_in_the_place_of_its_own(bench: Bench):
    noted(bench, bench.save("last.pt", 100, run="base", attempt=1))
    bench.save("last.pt", 5000, run="other", attempt=1)

    assert own(bench) == []


def test_what_is_written_in_the_place_of_anothers_is_its_own_before_it_is_hashed(bench: Bench):
    path = bench.save("last.pt", -100, run="other", attempt=1)
    path.write_bytes(BIGGER)
    touch(path, 100)

    assert own(bench) == ["last.pt"]


def test_anothers_that_was_only_touched_is_still_anothers(bench: Bench):
    touch(bench.save("last.pt", -100, run="other", attempt=1), 100)

    assert own(bench) == []


@pytest.mark.parametrize("about", [{}, {"run": "base", "attempt": 1}])
def test_what_its_record_knows_stays_its_own_when_it_is_touched(
    bench: Bench, about: dict[str, Any]
):
    touch(noted(bench, bench.save("step_1.pt", 100, **about)), 5000)
    (found,) = candidates.of_run(bench.run, bench.job)

    assert found.attempt == 1


def test_while_nobody_saw_an_attempt_end_all_that_is_written_may_be_its_own(bench: Bench):
    os.unlink(bench.run.attempt(2).exit)
    bench.save("step_3.pt", 5000)

    assert own(bench) == ["step_3.pt"]


def test_a_lost_machine_writes_nothing_between_its_loss_and_its_discovery(bench: Bench):
    record = {"reason": "host_lost", "ended": START + 1200}
    files.write_json(bench.run.attempt(2).exit, record)
    touch(Path(bench.run.attempt(2).exit), 9000)
    bench.save("step_2.pt", 1210)
    bench.save("step_3.pt", 5000)

    assert own(bench) == ["step_2.pt"]


def test_its_own_folder_is_written_by_nobody_else(bench: Bench):
    path = Path(bench.run.checkpoints) / "step_9.pt"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(BIGGER)
    touch(path, 5000)

    assert own(bench) == ["step_9.pt"]
