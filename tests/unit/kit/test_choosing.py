"""What a run goes on from: the newest checkpoint that holds, before the first loss that is NaN."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.torture.yard import job_of
from trainctl.kit import candidates, choosing, events, files, manifest
from trainctl.kit.choosing import Checker, Choice, OverdueError
from trainctl.kit.manifest import About
from trainctl.kit.names import Home, RunFolder

START = 1_000_000.0  # when attempt 1 begins; attempt 2 begins a thousand seconds later


class Bench:
    """A run with two attempts, whose checkpoints are laid out by hand."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(str(folder / "home"))
        self.out = folder / "out"
        self.out.mkdir()
        self.run: RunFolder = self.home.run("base")
        for number in (1, 2):
            attempt = self.run.attempt(number)
            os.makedirs(attempt.path)
            files.write_json(attempt.pid, {"started": START + 1000 * (number - 1)})
            files.write_json(attempt.exit, {})
            end = START + 1000 * number - 100
            os.utime(attempt.exit, (end, end))
        job = job_of(self.run, ["train"], str(folder))
        self.job: dict[str, Any] = {
            **job,
            "created": START,
            "checkpoint_dirs": [str(self.out), self.run.checkpoints],
        }

    def save(self, name: str, at: float, content: bytes = b"\x80\x02K\x01.", **about: Any) -> Path:
        """A checkpoint written so many seconds after the start; with `about`, hashed as well."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (START + at, START + at))
        if about:
            self.file(path, **about)
        return path

    def file(self, path: Path, **about: Any) -> None:
        manifest.write(self.home.manifests, manifest.make(str(path), About(**about)))

    def note(self, log: str) -> None:
        """What the agent notes of all that is there."""
        for one in candidates.of_run(self.run, self.job):
            events.append(log, "checkpoint", one.found._asdict())

    def choose(self, **how: Any) -> Choice:
        return choosing.choose(self.run, self.job, Checker(self.home.manifests, **how))

    def chosen(self) -> str:
        return os.path.basename(self.choose().path or "nothing")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def flip(path: Path, at: int = 3) -> None:
    """As a disk does it: nobody has written, so that the times tell nothing."""
    seen = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def names(passed: Sequence[choosing.Passed]) -> list[str]:
    return [os.path.basename(one.path) for one in passed]


def test_the_later_attempt_wins_then_the_higher_step_then_the_later_time(bench: Bench):
    bench.save("step_500.pt", 500)
    bench.save("step_200.pt", 1200)
    bench.save("step_300.pt", 1100)

    assert bench.chosen() == "step_300.pt"


def test_of_what_tells_no_step_the_one_written_last_wins(bench: Bench):
    bench.save("step_100.pt", 100)
    bench.save("last.pt", 101)
    assert bench.chosen() == "last.pt"

    bench.save("step_200.pt", 200)
    assert bench.chosen() == "step_200.pt"


def test_what_is_named_the_best_is_taken_only_where_there_is_no_other(bench: Bench):
    bench.save("best.pt", 300)
    assert bench.chosen() == "best.pt"

    bench.save("step_100.pt", 100)
    assert bench.chosen() == "step_100.pt"


def test_the_attempt_that_was_noted_counts_more_than_times(bench: Bench):
    copied = bench.save("step_100.pt", 1200)  # by hand, after the second attempt had begun
    bench.note(bench.run.attempt(1).checkpoints)
    bench.save("step_50.pt", 1100)

    assert bench.chosen() == "step_50.pt"
    assert copied.exists()


def test_a_cut_one_is_passed_over_with_a_word(bench: Bench):
    bench.save("step_1.pt", 100)
    bench.save("step_2.pt", 200, b"PK\x03\x04 and no end")
    choice = bench.choose()

    assert choice.path == str(bench.out / "step_1.pt")
    assert names(choice.passed) == ["step_2.pt"]
    assert choice.passed[0].why


def test_a_flipped_bit_is_found_by_the_manifest_and_said_with_its_place(bench: Bench):
    bench.save("step_1.pt", 100, run="base")
    flip(bench.save("step_2.pt", 200, run="base"))
    choice = bench.choose()

    assert choice.path == str(bench.out / "step_1.pt")
    assert choice.verified
    assert "differs from its manifest in bytes 0 to 5" in choice.passed[0].why


def test_without_a_manifest_nothing_is_verified(bench: Bench):
    bench.save("step_1.pt", 100)

    assert not bench.choose().verified


def test_what_the_formats_checksums_find_counts_where_there_is_no_manifest(bench: Bench):
    bench.save("step_1.pt", 100)
    bench.save("step_2.pt", 200)

    def look(path: str) -> list[str]:
        return ["has a bad CRC"] if path.endswith("2.pt") else []

    choice = bench.choose(look=look)
    assert choice.path == str(bench.out / "step_1.pt")
    assert choice.passed[0].why == "has a bad CRC"


def test_one_that_its_trainer_has_written_anew_is_no_damage(bench: Bench):
    bench.save("last.pt", 100, run="base")
    bench.save("last.pt", 200, b"\x80\x02K\x02.")

    assert bench.chosen() == "last.pt"
    assert not bench.choose().verified


def test_one_that_was_changed_while_no_attempt_ran_is_damage(bench: Bench):
    bench.save("last.pt", 100, run="base")
    bench.save("last.pt", 950, b"\x80\x02K\x02.")

    assert bench.chosen() == "nothing"


def test_one_that_was_written_anew_and_is_shorter_must_prove_its_end(bench: Bench):
    bench.save("last.pt", 100, b"\x80\x02K\x01K\x01.", run="base")
    bench.save("last.pt", 200, b"\x80\x02.")

    assert "has 3 bytes, and had 7" in bench.choose().passed[0].why


def test_a_file_that_was_laid_beside_the_others_is_no_damage(bench: Bench):
    folder = bench.save("checkpoint-4/model.pt", 100).parent
    bench.file(folder, run="base", step=4)
    bench.save("checkpoint-4/notes.txt", 960, b"mine")

    assert bench.chosen() == "checkpoint-4"


def test_a_missing_file_is_damage(bench: Bench):
    bench.save("checkpoint-4/optimizer.pt", 100)
    bench.file(bench.save("checkpoint-4/model.pt", 100).parent, run="base")
    (bench.out / "checkpoint-4" / "optimizer.pt").unlink()

    assert "optimizer.pt is missing" in bench.choose().passed[0].why


def metrics(bench: Bench, attempt: int, *rows: dict[str, Any]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path(bench.run.attempt(attempt).metrics).write_text(text)


def test_nothing_from_the_first_nan_on_is_taken(bench: Bench):
    for step in (100, 200, 300):
        bench.save(f"step_{step}.pt", step)
    rows = [{"step": step, "loss": 1.0} for step in range(200)]
    metrics(bench, 1, *rows, {"step": 200, "train/loss": float("nan")}, {"step": 201, "loss": 1.0})
    choice = bench.choose()

    assert choice.path == str(bench.out / "step_100.pt")
    assert choice.passed[0].why == "was saved after train/loss had become nan at step 200"


def test_a_later_attempt_that_kept_its_loss_is_as_good_as_any(bench: Bench):
    metrics(bench, 1, {"step": 200, "loss": float("inf")})
    bench.save("step_100.pt", 100)
    bench.save("step_300.pt", 1300)

    assert bench.chosen() == "step_300.pt"


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_trainers_own_history_tells_of_a_nan(bench: Bench, value: str):
    state = f'{{"log_history": [{{"step": 10, "loss": {value}}}], "global_step": 20}}'
    bench.save("checkpoint-20/model.pt", 200)
    bench.save("checkpoint-20/trainer_state.json", 200, state.encode())
    bench.save("checkpoint-5/model.pt", 100)

    assert bench.chosen() == "checkpoint-5"


def test_a_manifest_tells_of_a_nan(bench: Bench):
    bench.save("step_1.pt", 100, run="base", step=1, metrics={"loss": 2.0})
    bench.save("step_2.pt", 200, run="base", step=2, metrics={"eval_loss": float("nan")})

    assert bench.chosen() == "step_1.pt"


def test_what_cannot_be_judged_is_passed_over_with_the_word(bench: Bench):
    def look(path: str) -> list[str]:
        if path.endswith("step_2.pt"):
            raise OverflowError("too large")
        return []

    bench.save("step_1.pt", 100)
    bench.save("step_2.pt", 200)
    choice = bench.choose(look=look)

    assert choice.path == str(bench.out / "step_1.pt")
    assert choice.passed[0].why == "could not be judged (OverflowError: too large)"


def test_of_a_nan_after_what_tells_no_step_the_worst_is_assumed(bench: Bench):
    bench.save("last.pt", 100)
    metrics(bench, 1, {"step": 200, "loss": float("nan")})

    assert bench.chosen() == "nothing"


def keep(bench: Bench, original: Path, at: float, step: int = 10) -> Path:
    """A copy as the agent makes it, with the times of what it is a copy of."""
    copy = Path(bench.run.kept) / "10-abcdefabcdef" / original.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(original.read_bytes())
    os.utime(copy, (START + at, START + at))
    bench.file(copy, run="base", attempt=1, step=step)
    return copy


def test_a_kept_copy_is_taken_where_the_original_is_torn(bench: Bench):
    copy = keep(bench, bench.save("last.pt", 100), 100)
    bench.save("last.pt", 200, b"PK\x03\x04")
    choice = bench.choose()

    assert choice.path == str(copy)
    assert choice.candidate is not None
    assert choice.candidate.kept
    assert names(choice.passed) == ["last.pt"]


def test_the_original_is_taken_before_its_copy(bench: Bench):
    original = bench.save("last.pt", 100, run="base", attempt=1, step=10)
    keep(bench, original, 100)

    assert bench.choose().path == str(original)


def test_out_of_time_what_its_sizes_and_times_confirm_is_taken_unverified(bench: Bench):
    def pace(count: int) -> None:
        raise OverdueError

    bench.save("step_1.pt", 100, run="base")
    bench.save("step_2.pt", 200, run="base")
    bench.save("step_2.pt", 300)
    choice = bench.choose(pace=pace)

    assert choice.path == str(bench.out / "step_1.pt")
    assert not choice.verified
    assert "time" in choice.passed[0].why


def test_where_nothing_holds_nothing_is_chosen(bench: Bench):
    bench.save("step_1.pt", 100, b"PK\x03\x04")

    assert bench.choose().path is None
    assert len(bench.choose().passed) == 1


def test_metrics_that_are_no_json_tell_nothing(bench: Bench):
    Path(bench.run.attempt(1).metrics).write_bytes(b"NaN\n[NaN]\n{NaN\n\xff NaN\n" + b"NaN" * 9)
    bench.save("step_1.pt", 100)

    assert bench.chosen() == "step_1.pt"


def test_a_run_without_manifests_or_notes_is_ordered_by_time(bench: Bench):
    bench.save("a.pt", 100)
    bench.save("b.pt", 1200)

    assert bench.chosen() == "b.pt"
