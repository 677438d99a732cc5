"""The index is a cache: whatever becomes of its file, the folders still tell of every run."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from trainctl.errors import TrainctlError
from trainctl.kit.names import Home
from trainctl.records.index import Index, row_of_folder, trouble
from trainctl.records.rows import Wanted

RUNS = 60
PAGE = 4096


def names_in(home: Home) -> set[str]:
    with Index.open(home) as index:
        index.catch_up(lambda name: row_of_folder(home.run(name)))
        assert index.count(Wanted()) == RUNS
        return {row.name for row in index.find(Wanted(limit=None))}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(f"{tmp_path}")
    for number in range(RUNS):
        run = home.run(f"train-{number:02}")
        os.makedirs(run.path)
        job = {"schema": 1, "created": float(number), "typed": ["train.py", "x" * 400]}
        Path(run.job).write_text(json.dumps(job))
    assert len(names_in(home)) == RUNS
    return home


def pages(home: Home) -> range:
    return range(os.path.getsize(home.index) // PAGE)


def ruin(home: Home, page: int) -> None:
    with open(home.index, "r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)


def test_any_page_may_be_damaged_and_every_run_is_found(home: Home):
    good = Path(home.index).read_bytes()
    for page in pages(home):
        Path(home.index).write_bytes(good)
        ruin(home, page)
        assert len(names_in(home)) == RUNS, f"page {page}"


def test_a_write_into_a_damaged_index_arrives(home: Home):
    with Index.open(home) as index:
        [newest] = index.find(Wanted(limit=1))
    for page in pages(home):
        if page:
            ruin(home, page)
    with Index.open(home) as index:
        index.put([newest._replace(state="running")])
        assert index.find(Wanted(states=["running"]))
    assert trouble(home) is None


def test_a_table_that_somebody_dropped_is_made_anew(home: Home):
    with sqlite3.connect(home.index) as database:
        database.execute("DROP TABLE runs")
    database.close()
    assert len(names_in(home)) == RUNS


def test_an_index_that_cannot_be_opened_is_an_error_with_a_remedy(home: Home):
    for suffix in ("", "-wal", "-shm"):
        Path(home.index + suffix).unlink(missing_ok=True)
    os.mkdir(home.index)
    with pytest.raises(TrainctlError, match="unable to open database file") as error:
        Index.open(home)
    assert error.value.hint == "df -h; then trainctl doctor"


def test_a_full_disk_costs_no_index(home: Home):
    """SQLite's own limit of pages answers as a full disk does."""
    before = Path(home.index).read_bytes()
    with Index.open(home) as index:
        index._db.execute("PRAGMA max_page_count = 1")
        [newest] = index.find(Wanted(limit=1))
        many = [newest._replace(name=f"more-{number}") for number in range(500)]
        with pytest.raises(TrainctlError, match="database or disk is full"):
            index.put(many)
    assert Path(home.index).read_bytes()[:PAGE] == before[:PAGE]
    assert len(names_in(home)) == RUNS


@pytest.mark.parametrize(
    "job", ['{"created": null}', '{"typed": 5}', '{"tags": 3}', "[]", "{", '{"created": "soon"}']
)
def test_a_run_with_an_odd_job_hides_no_other(home: Home, job: str):
    os.mkdir(home.run("odd").path)
    Path(home.run("odd").job).write_text(job)
    Path(home.index).unlink()
    assert "odd" not in names_in(home)
