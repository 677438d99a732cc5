from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer, Trainctl
from trainctl.kit import events
from trainctl.kit.names import Home, RunFolder
from trainctl.records.index import VERSION, Index, trouble


@pytest.fixture
def home(project: Path, tmp_path: Path) -> Home:
    (tmp_path / "state").mkdir(mode=0o700)
    return Home(f"{tmp_path}/state")


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """The disk of the machine that tests is nobody's business here."""
    monkeypatch.setenv("TRAINCTL_DISK_WARN_GB", "0.001")


def of(told: Answer, what: str) -> list[tuple[str, str, str]]:
    """The findings about this, as level, detail and remedy."""
    return [
        (it["level"], it["detail"], it["remedy"])
        for it in told.data["findings"]
        if it["what"] == what
    ]


def a_run(home: Home) -> RunFolder:
    run = home.run("train-7f3k")
    Path(run.path).mkdir(parents=True)
    Path(run.job).write_text(json.dumps({"schema": 1, "name": run.name, "typed": []}))
    return run


def test_a_sound_machine_is_told_thing_by_thing(trainctl: Trainctl, home: Home):
    told = trainctl("doctor")
    assert told.code == 0
    assert {line.split()[0] for line in told.out.splitlines()} <= {"ok", "warn", "try:"}
    assert "runs trainctl" in told.out
    assert told.err.startswith("trainctl: ")


def test_json_counts_what_it_tells(trainctl: Trainctl, home: Home):
    data = trainctl("doctor", "--json").data
    assert data["count"]["fail"] == 0
    assert sum(data["count"].values()) == len(data["findings"])


def test_nothing_is_made_where_nothing_is(trainctl: Trainctl, tmp_path: Path):
    assert trainctl("doctor").code == 0
    assert not (tmp_path / "state").exists()


def test_a_broken_configuration_is_a_finding_and_the_rest_is_examined(
    trainctl: Trainctl, home: Home, project: Path
):
    (project / "trainctl.toml").write_text("gpus = 1\nretrys = \n")
    told = trainctl("doctor", "--json")
    assert told.code == 1
    [(level, detail, remedy)] = of(told, "settings")
    assert (level, remedy) == ("fail", "correct the line, then: trainctl config validate")
    assert "trainctl.toml:2: not valid TOML" in detail
    assert of(told, "state folder")[0][0] == "ok"


def test_a_refused_home_is_a_finding_with_its_remedy(trainctl: Trainctl, home: Home):
    Path(home.path).chmod(0o755)
    told = trainctl("doctor")
    assert told.code == 1
    assert "fail  state folder" in told.out
    assert f"try: chmod 700 {home.path}" in told.out
    assert told.err.startswith("trainctl: 1 failure")


def test_a_home_that_is_a_file_is_a_finding(trainctl: Trainctl, tmp_path: Path):
    (tmp_path / "state").touch()
    told = trainctl("doctor", "--json")
    assert (told.code, of(told, "state folder")[0][0]) == (1, "fail")


@pytest.mark.parametrize("damage", [b"not a database", b"", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_index_is_told_and_left_as_it_is(trainctl: Trainctl, home: Home, damage: bytes):
    a_run(home)
    Path(home.index).write_bytes(damage)
    told = trainctl("doctor", "--json")
    [(level, detail, remedy)] = of(told, "index")
    assert (told.code, level) == (0, "warn")
    assert home.index in detail
    assert remedy.startswith(f"rm {home.index}*; nothing is lost")
    assert Path(home.index).read_bytes() == damage
    assert trainctl("list", "-q").out == "train-7f3k\n"
    assert of(trainctl("doctor", "--json"), "index")[0][0] == "ok"


def test_a_newer_index_is_told(home: Home):
    with Index.open(home) as index:
        index._db.execute("PRAGMA user_version = 99")
    assert trouble(home) == f"{home.index} is of version 99, not {VERSION}"


def test_a_damaged_event_is_told_with_its_line(trainctl: Trainctl, home: Home):
    run = a_run(home)
    for _ in range(2):
        events.append(run.events, "submitted")
    log = Path(run.events)
    log.write_bytes(log.read_bytes().replace(b"submitted", b"submittex", 1))
    told = trainctl("doctor", "--json")
    [(level, detail, remedy)] = of(told, "event log")
    assert (told.code, level, bool(remedy)) == (1, "fail", True)
    assert f"{run.events}: 1 damaged, line 1;" in detail


def test_names_on_the_disk_cannot_draw_on_the_terminal(trainctl: Trainctl, home: Home):
    Path(home.runs, "bad\x1b[31m\n").mkdir(parents=True)
    assert "\x1b" not in trainctl("doctor").out
