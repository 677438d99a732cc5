"""Folders as frameworks lay them out: the whole ones, and what each lacks when it is killed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kit.test_checkpoints import npz, safetensors
from trainctl.kit import checkpoints, completeness, layouts


def folder(path: Path, *names: str, **texts: str) -> Path:
    """These files with a content that fits their names, and these texts, `__` for a dot."""
    for name in names:
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        by_suffix = {".safetensors": safetensors(), ".json": b"{}"}
        zips = target.suffix in {".pt", ".pth", ".bin", ".pkl", ".ckpt"}
        target.write_bytes(npz() if zips else by_suffix.get(target.suffix, b"x"))
    path.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def reason(path: Path) -> str | None:
    found = checkpoints.look(str(path))
    assert found is not None
    return completeness.incompleteness(found, writers_alive=False)


TRAINER = (
    "config.json",
    "model.safetensors",
    "training_args.bin",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "trainer_state.json",
)
ACCELERATE = ("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")
DEEPSPEED = (
    "mp_rank_00_model_states.pt",
    "zero_pp_rank_0_mp_rank_00_optim_states.pt",
    "zero_pp_rank_1_mp_rank_00_optim_states.pt",
)


def test_a_trainers_folder_is_whole_with_its_last_file_only(tmp_path: Path) -> None:
    for count in range(3, len(TRAINER)):
        part = folder(tmp_path / str(count) / "checkpoint-5", *TRAINER[:count])
        assert reason(part) == "trainer_state.json is missing: the Trainer had not finished"
    assert reason(folder(tmp_path / "checkpoint-5", *TRAINER)) is None


def test_weights_alone_are_a_checkpoint_unless_a_neighbour_has_more(tmp_path: Path) -> None:
    weights = folder(tmp_path / "checkpoint-7", "config.json", "model.safetensors")
    assert reason(weights) is None
    folder(tmp_path / "checkpoint-5", *TRAINER)
    assert reason(weights) == "trainer_state.json is missing, which checkpoint-5 beside it has"


def test_a_plain_scripts_folder_owes_no_frameworks_files(tmp_path: Path) -> None:
    assert reason(folder(tmp_path / "step-5", "model.pt", "optimizer.pt", "scheduler.pt")) is None


def test_accelerate_writes_its_random_states_last(tmp_path: Path) -> None:
    assert reason(folder(tmp_path / "checkpoint_0", *ACCELERATE)) is None
    lacking = "random_states_0.pkl is missing: accelerate had not finished"
    assert reason(folder(tmp_path / "checkpoint_1", *ACCELERATE[:-1])) == lacking


def test_every_rank_must_have_written(tmp_path: Path) -> None:
    names = (*TRAINER[:-2], "trainer_state.json", "rng_state_0.pth", "rng_state_2.pth")
    assert reason(folder(tmp_path / "checkpoint-5", *names)) == "rng_state_1.pth is missing"


def test_shards_are_counted_by_their_names_and_by_their_index(tmp_path: Path) -> None:
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    index = json.dumps({"weight_map": {"a": one, "b": two}})
    named = {"model__safetensors__index__json": index}
    assert reason(folder(tmp_path / "a", one, two, **named)) is None
    assert reason(folder(tmp_path / "b", one, **named)) == f"{two} is missing"
    assert reason(folder(tmp_path / "c", one, two)) == "model.safetensors.index.json is missing"
    (tmp_path / "a" / one).write_bytes(safetensors()[:-1])
    assert reason(tmp_path / "a") == f"{one}: it has 195 bytes where its header tells of 196"


@pytest.mark.parametrize("shard", ["../../etc/passwd", "/etc/passwd", "gone.safetensors", ""])
def test_an_index_names_nothing_but_what_lies_in_the_folder(tmp_path: Path, shard: str) -> None:
    index = json.dumps({"weight_map": {"a": shard}})
    at = folder(tmp_path / "m", "x.safetensors", model__safetensors__index__json=index)
    told = f"model.safetensors.index.json names {shard}, which is not in it"
    assert reason(at) == told


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"weight_map": 3}', "[" * 99_999])
def test_an_index_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    assert reason(folder(tmp_path / "m", "config.json", model__bin__index__json=text)) is not None


def test_a_distributed_checkpoint_ends_with_its_metadata(tmp_path: Path) -> None:
    at = folder(tmp_path / "step-1", "__0_0.distcp", "__1_0.distcp")
    assert reason(at) == ".metadata is missing"
    (at / ".metadata").write_bytes(b"\x80\x04\x8c\x0c__0_0.distcp\x8c\x0c__1_0.distcp.")
    assert reason(at) is None
    (at / "__1_0.distcp").unlink()
    assert reason(at) == "__1_0.distcp is missing"


def test_orbax_commits_by_a_time_and_a_name(tmp_path: Path) -> None:
    told = {"item_handlers": {"state": "x"}, "init_timestamp_nsecs": 1}
    begun = json.dumps({**told, "commit_timestamp_nsecs": None})
    done = json.dumps({**told, "commit_timestamp_nsecs": 2})
    assert reason(folder(tmp_path / "1", "state/_METADATA", _CHECKPOINT_METADATA=begun)) == (
        "Orbax has not committed it"
    )
    assert reason(folder(tmp_path / "2", "state/_METADATA", _CHECKPOINT_METADATA=done)) is None
    assert reason(folder(tmp_path / "3", _CHECKPOINT_METADATA=done)) == "its item state is missing"
    staged = tmp_path / "2.orbax-checkpoint-tmp-17"
    (tmp_path / "2").rename(staged)
    assert reason(staged) == "it was never given its final name"
    assert {found.step for found in checkpoints.scan([str(tmp_path)])} == {1, 3}


def test_deepspeed_wants_each_ranks_optimizer_and_a_tracker_that_knows_it(tmp_path: Path) -> None:
    at = folder(tmp_path / "global_step10", *DEEPSPEED)
    assert reason(at) is None
    (tmp_path / "latest").write_text("global_step5")
    assert reason(at) == "latest beside it still tells of global_step5"
    (tmp_path / "latest").write_text("global_step10")
    assert reason(at) is None
    (at / DEEPSPEED[1]).unlink()
    assert reason(at) == f"{DEEPSPEED[1]} is missing"


def test_megatrons_tracker_is_written_after_all_ranks(tmp_path: Path) -> None:
    at = folder(tmp_path / "iter_0000200", "mp_rank_00/model_optim_rng.pt")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("100\n")
    assert reason(at) == "latest_checkpointed_iteration.txt beside it still tells of 100"
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("release")
    assert reason(at) is None


def test_nemo_marks_what_is_unfinished(tmp_path: Path) -> None:
    path = tmp_path / "step=5.ckpt"
    path.write_bytes(npz())
    assert reason(path) is None
    (tmp_path / "step=5.ckpt-unfinished").touch()
    assert reason(path) == "step=5.ckpt-unfinished stands beside it"


def test_torchs_old_format_ends_in_raw_numbers(tmp_path: Path) -> None:
    path = tmp_path / "step-5.pt"
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\0" * 64)
    assert reason(path) is None
    path.write_bytes(b"\x80\x02}" + b"\0" * 64)
    assert reason(path) == "it is cut off: no pickle ends so"


def test_what_a_folder_holds_tells_that_it_is_one(tmp_path: Path) -> None:
    folder(tmp_path / "final", "config.json", "model.safetensors")
    folder(tmp_path / "out" / "checkpoint-5", *TRAINER)
    folder(tmp_path / "out", "config.json", "model.safetensors", "trainer_state.json")
    folder(tmp_path / "tf", "checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001")
    folder(tmp_path / "12", "default/_METADATA", _CHECKPOINT_METADATA="{}")
    folder(tmp_path / "34", "notes")
    found = {os.path.relpath(item.path, tmp_path) for item in checkpoints.scan([str(tmp_path)])}
    assert found == {"final", "out/checkpoint-5", "out/model.safetensors", "tf", "12"}


def test_the_folder_that_was_asked_for_may_be_one_itself(tmp_path: Path) -> None:
    at = folder(tmp_path / "backup", "latest.weights.h5", "training_metadata.json")
    assert [found.path for found in checkpoints.scan([str(at)])] == [str(at)]
    repository = folder(tmp_path / "gpt2", "config.json", "model.safetensors", "train.py")
    assert [found.path for found in checkpoints.scan([str(repository)])] == [
        str(repository / "model.safetensors")
    ]


NAMES = st.sampled_from(
    [
        "model-00001-of-00002.safetensors",
        "model-00001-of-99999.bin",
        "model-00000-of-00000.bin",
        "%d-%s_rng_state_1.pth",
        "rng_state_99999999999999999999.pth",
        "zero_pp_rank_3_mp_rank_07_optim_states.pt",
        ".metadata",
        "_CHECKPOINT_METADATA",
        "x.safetensors.index.json",
        "a/ocdbt.process_0/x",
        "latest",
        "optimizer.bin",
    ]
)


@given(st.dictionaries(NAMES, st.binary(max_size=40) | st.just(b'{"weight_map": {"a": {}}}')))
def test_any_folder_is_answered(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    at = tmp_path_factory.mktemp("here") / "checkpoint-5"
    for name, data in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(data)
    layouts.missing(str(at), frozenset(files))


def test_a_folder_that_is_gone_owes_nothing(tmp_path: Path) -> None:
    assert layouts.missing(str(tmp_path / "x" / "checkpoint-5"), frozenset({"model.bin"})) is None


def test_a_sparse_file_of_forty_gigabytes_costs_nothing(tmp_path: Path) -> None:
    at = folder(tmp_path / "checkpoint-5", *TRAINER)
    for name in ("optimizer.pt", "trainer_state.json"):
        os.truncate(at / name, 40 << 30)
    began = time.process_time()
    assert reason(at) is not None
    assert time.process_time() - began < 1
