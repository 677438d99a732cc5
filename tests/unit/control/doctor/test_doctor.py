from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from trainctl.config import load
from trainctl.control.doctor import CHECKS, Answer, Finding, Machine, ask, examine, state, system
from trainctl.control.doctor import python as pythons
from trainctl.errors import ConfigError
from trainctl.kit import events, files, locks, process
from trainctl.kit.gpus import Card, Cards
from trainctl.kit.names import Home, RunFolder


def no_programs(command: Sequence[str]) -> Answer:
    return Answer(None, f"no {command[0]}")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a private home, a project, and nothing else."""
    home, project, root = (tmp_path / name for name in ("home", "project", "root"))
    for folder in (home, project, root):
        folder.mkdir(mode=0o700)
    environ = {"HOME": f"{tmp_path}", "PATH": f"{tmp_path}/bin", "TRAINCTL_DISK_WARN_GB": "0.001"}
    return Machine(
        home=Home(f"{home}"),
        settings=load(f"{project}", environ),
        cwd=f"{project}",
        environ=environ,
        root=f"{root}",
        ask=no_programs,
        cards=lambda: Cards([], None),
    )


def a_run(machine: Machine, name: str, *, attempts: int = 1) -> RunFolder:
    run = machine.home.run(name)
    os.makedirs(run.path)
    for number in range(1, attempts + 1):
        os.makedirs(run.attempt(number).path)
    files.write_json(run.job, {"schema": 1})
    return run


def system_file(machine: Machine, path: str, text: str) -> None:
    place = Path(machine.root, path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


def dead() -> dict[str, object]:
    return {"pid": 1, "start": "never", "boot": "another"}


def living() -> dict[str, object]:
    who = process.identity(os.getpid())
    assert who is not None
    return who.to_json()


def test_every_check_answers_on_this_machine_and_every_trouble_has_a_remedy(machine: Machine):
    findings = examine(machine._replace(ask=ask, root="/"))
    assert len(findings) >= len(CHECKS) - 4
    assert all(finding.detail for finding in findings)
    assert all(finding.remedy for finding in findings if finding.level != "ok")


def test_a_check_that_fails_is_a_finding_not_the_end(machine: Machine, monkeypatch):
    def broken_disk(_: Machine) -> list[Finding]:
        raise OSError("gone")

    monkeypatch.setattr("trainctl.control.doctor.CHECKS", (broken_disk, system.git))
    assert [finding.what for finding in examine(machine)] == ["broken disk", "git"]


def test_a_program_is_asked_with_a_time_limit_and_never_raises(tmp_path: Path, monkeypatch):
    assert ask([sys.executable, "-c", "print('hello')"])[:2] == (0, "hello")
    assert ask([f"{tmp_path}/none"]).code is None
    monkeypatch.setattr("trainctl.control.doctor.machine.ASK_SECONDS", 0.05)
    assert ask(["sleep", "60"]).code is None


def test_a_missing_git_is_named_with_how_to_get_it(machine: Machine):
    [linux] = system.git(machine)
    [mac] = system.git(machine._replace(platform="darwin"))
    assert (linux.level, linux.remedy, mac.remedy) == (
        "warn",
        "apt install git",
        "xcode-select --install",
    )
    [there] = system.git(machine._replace(ask=lambda _: Answer(0, "git version 2.39.5")))
    assert there == Finding("ok", "git", "2.39.5")


def test_uv_is_missed_only_where_the_project_needs_it(machine: Machine):
    assert levels(system.uv(machine)) == ["ok"]
    Path(machine.cwd, "uv.lock").touch()
    assert levels(system.uv(machine)) == ["warn"]


def test_cards_are_named_and_absence_is_no_trouble(machine: Machine):
    card = Card("0", "GPU-1", "H100", 1, 0, None, None, None)
    [none] = system.cards(machine)
    [two] = system.cards(machine._replace(cards=lambda: Cards([card, card], None)))
    [hangs] = system.cards(machine._replace(cards=lambda: Cards([], "did not answer")))
    assert (none.level, two.detail, hangs.level) == ("ok", "2: H100", "fail")


def test_a_python3_that_is_a_shim_is_told_from_a_real_one(machine: Machine, tmp_path: Path):
    assert levels(pythons.shim(machine)) == ["warn"]
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text("#!/usr/bin/env bash\nexec pyenv exec python3\n")
    python.chmod(0o755)
    [shim] = pythons.shim(machine)
    assert "shell script" in shim.detail
    assert f"{python}" in shim.remedy
    python.unlink()
    python.symlink_to(os.path.realpath(sys.executable))
    assert levels(pythons.shim(machine)) == ["ok"]


class Interpreter:
    """A Python whose start takes as long as it is told, more where `site` is read."""

    def __init__(self, folder: str, bare: float, site: float) -> None:
        self.folder, self.bare, self.site = folder, bare, site

    def __call__(self, command: Sequence[str]) -> Answer:
        if "pass" not in command:
            return Answer(0, self.folder)
        return Answer(0, "", self.bare if "-S" in command else self.site)


@pytest.mark.parametrize(("seconds", "level"), [(0.012, "ok"), (0.060, "warn")])
def test_slow_start_up_files_are_named(
    machine: Machine, tmp_path: Path, seconds: float, level: str
):
    (tmp_path / "slow.pth").write_text("# comment\nimport everything\n")
    (tmp_path / "only_a_path.pth").write_text("/somewhere\n")
    [found] = pythons.start_up_files(
        machine._replace(ask=Interpreter(f"{tmp_path}", 0.010, seconds))
    )
    assert found.level == level
    assert "only_a_path" not in found.detail
    assert level == "ok" or "slow.pth" in found.detail


def test_an_interpreter_that_does_not_start_fails(machine: Machine):
    assert levels(pythons.start_up_files(machine)) == ["fail"]


def test_wrong_settings_and_mistyped_variables_are_found(machine: Machine):
    assert levels(state.settings(machine)) == ["ok"]
    wrong = machine._replace(
        problems=[ConfigError("t.toml:1: unknown key", hint="did you mean gpus?")],
        environ={"TRAINCTL_RETRYS": "1"},
    )
    assert levels(state.settings(wrong)) == ["fail", "warn"]


def test_the_state_folder_is_looked_at_and_not_made(machine: Machine):
    assert levels(state.folder(machine)) == ["ok"]
    Path(machine.home.path).chmod(0o777)
    [open_to_all] = state.folder(machine)
    assert (open_to_all.level, open_to_all.remedy) == ("fail", f"chmod 700 {machine.home.path}")
    absent = machine._replace(home=Home(f"{machine.home.path}/none"))
    assert levels(state.folder(absent)) == ["ok"]
    assert not os.path.exists(absent.home.path)
    point = os.path.realpath(absent.home.path)
    system_file(machine, "proc/self/mountinfo", f"1 0 0:1 / {point} rw - nfs4 server:/ rw\n")
    assert levels(state.folder(absent)) == ["fail"]


def test_a_full_disk_is_found(machine: Machine):
    [fine] = state.disks(machine)
    assert fine.level == "ok"
    greedy = machine._replace(settings=machine.settings._replace(disk_warn_gb=1e9))
    [short] = state.disks(greedy)
    assert short.level in {"warn", "fail"}
    assert "disk_warn_gb" in short.detail


def test_what_is_wrong_with_the_index_is_told(machine: Machine):
    assert levels(state.index(machine)) == ["ok"]
    [broken] = state.index(
        machine._replace(index_trouble=lambda: "it is newer than this trainctl")
    )
    assert (broken.level, broken.detail) == ("warn", "it is newer than this trainctl")


def test_a_damaged_record_is_named_with_its_line(machine: Machine):
    run = a_run(machine, "train-1")
    for _ in range(3):
        events.append(run.attempt(1).events, "checkpoint")
    assert levels(state.logs(machine)) == ["ok"]
    lines = Path(run.attempt(1).events).read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"checkpoint", b"checkpoinT")
    Path(run.attempt(1).events).write_bytes(b"\n".join(lines))
    [damaged] = state.logs(machine)
    assert damaged.level == "fail"
    assert "1 damaged, line 2;" in damaged.detail


def test_a_run_without_its_job_is_found(machine: Machine):
    a_run(machine, "good")
    os.makedirs(machine.home.run("bad").path)
    [bad] = state.unreadable_runs(machine)
    assert (bad.detail, bad.remedy) == ("without a readable record: bad", "trainctl delete bad")


def test_only_runs_that_ended_unseen_are_interrupted(machine: Machine):
    for name, who, ended in (
        ("crashed", dead(), False),
        ("done", dead(), True),
        ("running", living(), False),
    ):
        attempt = a_run(machine, name).attempt(1)
        files.write_json(attempt.pid, {"waiter": who, "trainer": None})
        if ended:
            files.write_json(attempt.exit, {"code": 0})
    a_run(machine, "queued", attempts=0)
    a_run(machine, "starting")
    [found] = state.interrupted_runs(machine)
    assert found.detail == "interrupted, and nobody watches: crashed"
    assert found.remedy == "trainctl resume crashed"


def test_many_runs_are_counted_not_listed(machine: Machine):
    for number in range(8):
        os.makedirs(machine.home.run(f"bad-{number}").path)
    [bad] = state.unreadable_runs(machine)
    assert bad.detail.endswith("bad-4 and 3 more")


def test_a_card_that_an_ended_run_still_holds_is_found(machine: Machine):
    os.makedirs(machine.home.locks)
    run = a_run(machine, "train-1")
    lock = locks.Lock(f"{machine.home.locks}/gpu-0")
    assert lock.take()
    with lock:
        lock.sign({"run": run.name, "path": run.path})
        assert state.held_locks(machine) == []
        files.write_json(run.attempt(1).exit, {"code": 0})
        [held] = state.held_locks(machine)
        assert held.remedy == "trainctl stop --now train-1"
    assert state.held_locks(machine) == []


@pytest.mark.parametrize(("limit", "level"), [("128\n", "ok"), ("8\n", "warn"), ("?", "ok")])
def test_few_watches_are_told(machine: Machine, limit: str, level: str):
    system_file(machine, "proc/sys/fs/inotify/max_user_instances", limit)
    assert levels(system.watches(machine)) == [level]


def test_what_macos_cannot_do_is_said(machine: Machine):
    [found] = system.subreaper(machine._replace(platform="darwin"))
    assert "caffeinate" in found.remedy


MAIN = "etc/systemd/logind.conf"
DROP_IN = "etc/systemd/logind.conf.d/50-site.conf"


@pytest.mark.parametrize(
    ("texts", "killed"),
    [
        ({}, False),
        ({MAIN: "[Login]\n#KillUserProcesses=no\n"}, False),
        ({MAIN: "[Login]\n#KillUserProcesses=yes\n"}, True),
        ({MAIN: "[Login]\nKillUserProcesses=yes\n"}, True),
        ({MAIN: "KillUserProcesses=yes\n", DROP_IN: "KillUserProcesses = no\n"}, False),
        ({MAIN: "#KillUserProcesses=no\n", DROP_IN: "KillUserProcesses=1\n"}, True),
        ({MAIN: "KillUserProcesses=yes\nKillExcludeUsers=root 4242424\n"}, False),
    ],
)
def test_a_logout_that_ends_runs_is_warned_of(
    machine: Machine, texts: dict[str, str], killed: bool
):
    for path, text in texts.items():
        system_file(machine, path, text)
    found = system.logout(machine._replace(user=4242424))
    assert levels(found) == (["warn"] if killed else [])
    assert not killed or "systemd-run --user --scope" in found[0].remedy


def test_root_is_not_logged_out_of_its_processes(machine: Machine):
    system_file(machine, MAIN, "KillUserProcesses=yes\n")
    assert system.logout(machine._replace(user=0)) == []


def test_few_open_files_are_told():
    program = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (256, 256));"
        "from trainctl.control.doctor import system; print(system.open_files(None)[0].level)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "warn\n"
