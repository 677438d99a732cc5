"""Going on: from which checkpoint, with which arguments and code, by hand and by itself."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.e2e.line import CommandLine, Done, wait_until


@pytest.fixture
def stopped(trainctl: CommandLine) -> CommandLine:
    """A run `base` that has written the checkpoints of steps 1 to 3."""
    trainctl.ok("run", "--name", "base", "train.py", "--steps", "3")
    return trainctl


def steps(done: Done) -> list[str]:
    return [line for line in done.out.splitlines() if line.startswith(("step", "resumed"))]


def test_it_goes_on_from_the_newest_checkpoint_with_arguments_added(stopped: CommandLine):
    done = stopped.ok("resume", "base", "--steps", "5")

    assert steps(done) == ["resumed at 4", "step 4", "step 5"]
    assert "attempt 2 of base goes on from out/step_3.pt" in done.err
    assert "with --steps 5 added to the recorded arguments" in done.err


def test_without_run_it_is_the_newest_and_what_follows_is_the_scripts(stopped: CommandLine):
    assert steps(stopped.ok("resume", "--steps", "4")) == ["resumed at 4", "step 4"]


def test_later_resumes_keep_what_was_added_until_told_not_to(stopped: CommandLine):
    stopped.ok("resume", "base", "--steps", "4")
    again = stopped.ok("resume", "--from", "1", "base")
    plain = stopped.ok("resume", "--from", "1", "--as-recorded", "base")

    assert "with --steps 4 as added before" in again.err
    assert steps(again)[-1] == "step 4"
    assert steps(plain)[-1] == "step 3"


@pytest.mark.parametrize(
    ("wanted", "first"), [("2", 3), ("last", 4), ("best", 3), ("out/step_1.pt", 2)]
)
def test_a_checkpoint_is_wanted_by_step_path_best_or_last(
    stopped: CommandLine, wanted: str, first: int
):
    best, of = stopped.project / "out" / "best.pt", stopped.project / "out" / "step_2.pt"
    shutil.copy2(of, best)

    assert f"resumed at {first}" in stopped.ok("resume", "--from", wanted, "base").out


def test_a_checkpoint_that_is_not_there_is_said_with_those_that_are(stopped: CommandLine):
    done = stopped("resume", "--from", "9", "base")

    assert done.code == 4
    assert "there is no checkpoint of step 9" in done.err
    assert "1, 2, 3" in done.err


def test_a_torn_one_is_passed_over_with_a_word_that_is_recorded(stopped: CommandLine):
    (stopped.project / "out" / "step_3.pt").write_bytes(b"PK\x03\x04")
    done = stopped.ok("resume", "base")
    asked = [event for event in stopped.show("base")["events"] if event["event"] == "resumed"]

    assert "passed over" in done.err
    assert "step_3.pt: it is cut off" in done.err
    assert steps(done)[0] == "resumed at 3"
    assert asked[0]["passed"][0]["step"] == 3


def flip(line: CommandLine, name: str) -> None:
    """Change a byte without changing what the file's times tell."""
    path = line.project / "out" / name
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"step", b"stop"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_one_that_is_named_and_does_not_hold_is_refused_with_one_that_does(stopped: CommandLine):
    flip(stopped, "step_3.pt")
    done = stopped("resume", "--from", "3", "base")

    assert done.code == 5
    assert "out/step_3.pt does not hold: differs from its manifest" in done.err
    assert f"trainctl resume --from {stopped.project}/out/step_2.pt" in done.err
    assert len(stopped.show("base")["attempts"]) == 1


def test_after_a_loss_of_nan_it_goes_on_from_before_unless_one_is_named(trainctl: CommandLine):
    tell = "open(os.environ['TRAINCTL_METRICS'], 'a').write('{\"step\": 2, \"loss\": NaN}\\n')"
    text = (trainctl.project / "train.py").read_text()
    trainctl.write("nan.py", text.replace("sys.exit(args.exit)", tell))
    trainctl.ok("run", "--name", "base", "nan.py", "--steps", "3")
    done = trainctl.ok("resume", "-d", "base")

    assert "goes on from out/step_1.pt" in done.err
    assert "step_3.pt: was saved after loss had become nan at step 2" in done.err
    trainctl.until_rest("base")
    named = trainctl.ok("resume", "--from", str(trainctl.project / "out" / "step_3.pt"), "base")
    assert "resumed at 4" in named.out


def test_where_a_script_finds_its_newest_itself_the_torn_one_is_set_aside(trainctl: CommandLine):
    trainctl.write(
        "switch.py",
        (trainctl.project / "train.py")
        .read_text()
        .replace('"--resume")', '"--resume", action="store_true")')
        .replace("open(args.resume)", "open(max(__import__('glob').glob('out/step_*')))"),
    )
    trainctl.ok("run", "--name", "base", "switch.py", "--steps", "3")
    torn = trainctl.project / "out" / "step_3.pt"
    torn.write_bytes(b"PK\x03\x04")
    foreign = trainctl.write("out/old/step_9.pt", '{"step": 9}')
    done = trainctl.ok("resume", "base")

    assert f"switch.py finds its newest checkpoint by itself: it may take {foreign}" in done.err
    assert "step_3.pt is set aside as .step_3.pt.set-aside" in done.err
    assert steps(done) == ["resumed at 3", "step 3"]


def test_of_two_at_once_one_starts_and_the_other_is_told_that_it_is_busy(stopped: CommandLine):
    words = ("resume", "-d", "base", "--steps", "99", "--sleep", "0.1")
    both = [stopped.start(*words), stopped.start(*words)]
    codes = sorted(one.wait(40) for one in both)
    for one in both:
        one.communicate()

    assert codes == [0, 75]
    assert [attempt["number"] for attempt in stopped.show("base")["attempts"]] == [1, 2]


def test_a_living_run_is_not_resumed(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "long", "train.py", "--steps", "99", "--sleep", "0.1")
    done = trainctl("resume", "long")

    assert done.code == 75
    assert "trainctl stop long" in done.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["base", "--from", "2", "--steps", "9"], "trainctl resume --from 2 base --steps 9"),
        (["base", "--steps", "9", "-d"], "trainctl resume -d base --steps 9"),
        (["--fro", "2", "base"], "--from"),
    ],
)
def test_an_option_of_ours_in_the_wrong_place_is_not_handed_over(
    stopped: CommandLine, typed: list[str], meant: str
):
    done = stopped("resume", *typed)

    assert done.code == 2
    assert meant in done.err
    assert len(stopped.show("base")["attempts"]) == 1


def test_behind_two_dashes_everything_is_the_scripts(stopped: CommandLine):
    done = stopped("resume", "base", "--", "--from", "2")

    assert "unrecognized arguments: --from 2" in done.out


def test_a_script_that_shows_no_way_to_go_on_is_refused_unless_it_is_forced(trainctl: CommandLine):
    trainctl.write("deaf.py", "open('out/step_1.pt', 'w').write('x')")
    trainctl.write("out/.keep", "")
    trainctl.ok("run", "--name", "base", "deaf.py")
    done = trainctl("resume", "base")

    assert done.code == 5
    assert "deaf.py shows no way to go on from step_1.pt: it would begin anew" in done.err
    assert 'torch.load(os.environ["TRAINCTL_RESUME_FROM"])' in done.err
    assert "trainctl resume --force base" in done.err
    assert len(trainctl.show("base")["attempts"]) == 1
    forced = trainctl.ok("resume", "--force", "base").err
    assert "only the variable TRAINCTL_RESUME_FROM names it" in forced


def test_a_program_that_cannot_be_read_goes_on_with_a_word(trainctl: CommandLine):
    trainctl.write("out/.keep", "")
    trainctl.ok("run", "bash", "-c", "echo x > out/step_1.pt")

    assert "only the variable TRAINCTL_RESUME_FROM names it" in trainctl.ok("resume").err


def test_a_script_that_would_begin_anew_is_said_where_it_is_retried(trainctl: CommandLine):
    trainctl.write("deaf.py", "print('x')")
    told = "deaf.py shows no way to go on from a checkpoint: a retry begins it anew"

    assert told in trainctl.ok("run", "--retries", "1", "deaf.py").err
    assert told not in trainctl.ok("run", "deaf.py").err
    assert told not in trainctl.ok("run", "--retries", "1", "train.py", "--steps", "1").err


BY_NAME = """\
import json, os, sys
LAST = "out/last.pt"
first = json.load(open(LAST))["step"] + 1 if os.path.exists(LAST) else 1
print("begins at", first)
for step in range(first, int(sys.argv[1]) + 1):
    for path in (LAST, f"out/step_{step}.pt"):
        with open(path, "w") as file:
            json.dump({"step": step}, file)
"""


def test_a_script_that_loads_its_last_by_name_gets_past_a_cut_one(trainctl: CommandLine):
    trainctl.write("out/.keep", "")
    trainctl.write("named.py", BY_NAME)
    trainctl.ok("run", "--name", "base", "named.py", "3")
    last = trainctl.project / "out" / "last.pt"
    last.write_text('{"ste')
    os.utime(last, (os.stat(last).st_atime, os.stat(last).st_mtime + 1))
    done = trainctl.ok("resume", "--as-recorded", "base")

    assert "last.pt is set aside as .last.pt.set-aside" in done.err
    assert "begins at" in done.out


def test_what_others_write_later_into_its_folders_is_not_the_runs(stopped: CommandLine):
    stopped.ok("run", "--resume", "out/step_3.pt", "train.py", "--steps", "6")
    (stopped.project / "out" / "step_9.pt").write_text('{"step": 9}')
    listed = json.loads(stopped.ok("checkpoint", "list", "--json", "base").out)
    done = stopped.ok("resume", "base", "--steps", "4")

    assert [name for name in ("step_3", "step_6", "step_9") if name in json.dumps(listed)] == [
        "step_3"
    ]
    assert steps(done) == ["resumed at 4", "step 4"]


def test_a_run_that_shall_never_resume_begins_anew(trainctl: CommandLine):
    trainctl.ok("run", "--resume", "never", "train.py", "--steps", "2")
    done = trainctl.ok("resume")

    assert steps(done)[0] == "step 1"
    assert "from the beginning" in done.err


def test_a_run_may_begin_from_a_checkpoint_of_another(stopped: CommandLine):
    done = stopped.ok("run", "--resume", "out/step_2.pt", "train.py", "--steps", "3")

    assert steps(done) == ["resumed at 3", "step 3"]


def test_rerun_is_a_new_run_of_the_same_job(stopped: CommandLine):
    stopped.ok("run", "--name", "tagged", "--tag", "a", "--env", "A=1", "train.py", "--steps", "1")
    done = stopped.ok("rerun", "--name", "anew", "tagged", "--steps", "2")
    job = stopped.show("anew")["job"]

    assert steps(done) == ["step 1", "step 2"]
    assert (job["rerun_of"], job["tags"], job["env"]) == ("tagged", ["a"], {"A": "1"})


def test_after_a_crash_it_goes_on_by_itself(trainctl: CommandLine):
    done = trainctl.ok("run", "--retries", "1", "train.py", "--crash-at", "2", "--steps", "4")

    assert steps(done) == ["step 1", "step 2", "resumed at 3", "step 3", "step 4"]
    assert "attempt 1 ended: failed (exit code 7: step 2); retry 1 of 1" in done.err


def test_unattended_attempts_run_the_code_that_was_started(trainctl: CommandLine):
    script = trainctl.write(
        "edited.py", "import sys, time; print('as it was', flush=True); time.sleep(1); sys.exit(1)"
    )
    trainctl.ok("run", "-d", "--name", "e", "--retries", "1", "edited.py")
    wait_until(lambda: "as it was" in trainctl.log("e"), "the first attempt")
    wait_until((trainctl.run_folder("e") / "code").is_dir, "the snapshot")
    script.write_text("print('edited meanwhile')")
    told = trainctl.until_rest("e")

    assert trainctl.log("e", 2) == "as it was\n"
    assert [attempt["automatic"] for attempt in told["attempts"]] == [False, True]


def test_crashes_in_a_row_that_save_nothing_are_a_loop(trainctl: CommandLine):
    done = trainctl("run", "--retries", "9", "bash", "-c", "exit 3")

    assert done.code == 3
    assert "crash loop" in done.err
    assert len(trainctl.show()["attempts"]) == 3


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise MemoryError('of 9 GB')", "out_of_memory"),
        ("open('/dev/full', 'w').write('x' * 100_000)", "disk_full"),
    ],
)
def test_full_memory_and_a_full_disk_are_told_apart_and_not_retried(
    trainctl: CommandLine, source: str, reason: str
):
    trainctl.write("greedy.py", source)
    trainctl("run", "--retries", "3", "greedy.py")
    told = trainctl.show()

    assert told["reason"] == reason
    assert len(told["attempts"]) == 1


def test_changed_code_is_said_at_a_resume(trainctl: CommandLine):
    from tests.e2e.test_run import git

    git(trainctl.project, "init", "--quiet")
    git(trainctl.project, "add", ".")
    git(trainctl.project, "commit", "--quiet", "-m", "first")
    trainctl.ok("run", "train.py", "--steps", "1")
    with (trainctl.project / "train.py").open("a") as file:
        file.write("# mended\n")
    assert "the code has changed since the first attempt" in trainctl.ok("resume").err

    git(trainctl.project, "commit", "--quiet", "--all", "-m", "second")
    assert "the code is at commit" in trainctl.ok("resume").err


def test_an_attempt_finds_its_checkpoint_in_the_environment(stopped: CommandLine):
    tell = "import json, os; print(json.dumps(os.environ.get('TRAINCTL_RESUME_FROM')))"
    stopped.write("tell.py", "import os\n" + tell)
    stopped.ok("run", "--resume", "out/step_1.pt", "tell.py")

    assert json.loads(stopped.ok("logs").out) == str(stopped.project / "out" / "step_1.pt")
