"""Cards as two fakes tell of them: an nvidia-smi on the PATH, and an NVML that gcc has built."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import need
from trainctl.kit import gpus
from trainctl.kit.gpus import Asker, Card, Cards, parse_nvidia_smi, visible

ROW = "0, GPU-aaaa-1, NVIDIA H100 80GB HBM3, 81559, 1024, 37, 41, 120.50"
NOT_TOLD = "1, GPU-bbbb-2, NVIDIA GB10, [N/A], [N/A], [N/A], [Not Supported], nan"
ASKS = """
from trainctl.kit import gpus
seen = gpus.look()
print(len(seen.cards), seen.trouble, [c.id for c in seen.cards], [c.name for c in seen.cards])
"""


def test_a_row_becomes_a_card() -> None:
    assert parse_nvidia_smi(ROW + "\n\n") == Cards(
        [
            Card(
                "0", "GPU-aaaa-1", "NVIDIA H100 80GB HBM3", 81559 << 20, 1 << 30, 37.0, 41.0, 120.5
            )
        ],
        None,
    )


def test_what_a_card_does_not_tell_is_none() -> None:
    (card,) = parse_nvidia_smi(NOT_TOLD).cards
    assert (card.memory_total_bytes, card.utilization_percent, card.power_watts) == (0, None, None)


@pytest.mark.parametrize("text", ["No devices were found", "0, GPU-a, name", "<html>", "\x00\xff"])
def test_garbage_is_trouble_and_no_card(text: str) -> None:
    seen = parse_nvidia_smi(text)
    assert seen.cards == []
    assert seen.trouble is not None


@given(st.text(st.characters(), max_size=200))
def test_any_answer_is_read(text: str) -> None:
    parse_nvidia_smi(text)
    parse_nvidia_smi(",".join([text.replace("\n", "")] * 8))


CARDS = [Card(str(n), f"GPU-{n}{n}{n}-uuid", "H100", 1, 0, None, None, None) for n in range(4)]


@pytest.mark.parametrize(
    ("limited", "found"),
    [
        (None, ["0", "1", "2", "3"]),
        ("", []),
        ("-1", []),
        ("2, 0", ["2", "0"]),
        ("GPU-222-uuid,GPU-1", ["2", "1"]),
        ("0,7,1", ["0"]),
        ("MIG-aaaa", ["MIG-aaaa"]),
        ("GPU-222,2", ["2", "2"]),
        ("none", []),
    ],
)
def test_a_card_has_one_name_however_it_is_asked_for(
    limited: str | None, found: list[str]
) -> None:
    environment = {} if limited is None else {"CUDA_VISIBLE_DEVICES": limited}
    assert visible(CARDS, environment) == found


def test_a_driver_that_hangs_is_asked_once_and_answers_late() -> None:
    answer, asked = threading.Event(), []

    def ask() -> Cards:
        asked.append(1)
        answer.wait(10)
        return Cards(CARDS, None)

    asker = Asker(ask)
    for _ in range(3):
        seen = asker.look(0.01)
        assert (seen.cards, bool(seen.trouble)) == ([], True)
    assert asked == [1]
    answer.set()
    assert asker.look(10) == Cards(CARDS, None)


def test_a_driver_that_raises_is_trouble() -> None:
    def ask() -> Cards:
        raise ZeroDivisionError

    assert "ZeroDivisionError" in str(Asker(ask).look(10).trouble)


def asked_with(folder: Path, **environ: str) -> str:
    """What a fresh process sees with these fakes first on its PATH."""
    source = str(Path(gpus.__file__).parents[2])
    path = f"{folder}:/usr/bin:/bin"
    done = subprocess.run(
        [sys.executable, "-c", ASKS],
        env={"PATH": path, "PYTHONPATH": source, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=40,
    )
    return done.stdout


def fake_smi(folder: Path, script: str) -> Path:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder


NO_NVML = pytest.mark.skipif(
    os.path.exists("/proc/driver/nvidia"), reason="not run: there is a real driver here"
)


@NO_NVML
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f'echo "{ROW}"; echo "{NOT_TOLD}"', "2 None ['0', '1']"),
        (
            "echo Unable to determine the device handle: GPU is lost; exit 15",
            "0 nvidia-smi failed",
        ),
        ("head -c 300 /dev/urandom", "0 nvidia-smi said something unexpected"),
        ("exit 0", "0 None []"),
        ("kill -9 $$", "0 nvidia-smi failed"),
    ],
)
def test_nvidia_smi_is_believed_only_when_it_makes_sense(
    tmp_path: Path, script: str, said: str
) -> None:
    assert asked_with(fake_smi(tmp_path, script)).startswith(said)


@NO_NVML
def test_no_nvidia_smi_is_no_card_and_no_trouble(tmp_path: Path) -> None:
    assert asked_with(tmp_path).startswith("0 None")


@NO_NVML
def test_an_nvidia_smi_that_hangs_is_given_up(tmp_path: Path) -> None:
    began = time.monotonic()
    said = asked_with(fake_smi(tmp_path, "exec sleep 60"))
    assert said.startswith("0 nvidia-smi: ")
    assert "timed out" in said
    assert time.monotonic() - began < gpus.ASK_SECONDS + 15


NVML = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
int nvmlInit_v2(void) { return INIT; }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **h) { *h = (void *)1L; return 0; }
int nvmlDeviceGetMemoryInfo(void *h, memory_t *m) { m->total = 80; m->used = 8; return CARD; }
int nvmlDeviceGetUtilizationRates(void *h, utilization_t *u) { u->gpu = 50; return 3; }
int nvmlDeviceGetTemperature(void *h, int s, unsigned int *t) { *t = 41; return 0; }
int nvmlDeviceGetUUID(void *h, char *b, unsigned int n) { strcpy(b, "GPU-x"); return 0; }
int nvmlDeviceGetName(void *h, char *b, unsigned int n) { strcpy(b, "Fake"); return 0; }
"""  # without nvmlDeviceGetPowerUsage: an older driver


def fake_nvml(folder: Path, *, init: int = 0, card: int = 0) -> Path:
    source = folder / "nvml.c"
    source.write_text(NVML)
    library = folder / "libnvidia-ml.so.1"
    flags = [f"-DINIT={init}", f"-DCARD={card}", "-shared", "-fPIC", "-w"]
    subprocess.run(["gcc", *flags, "-o", library, source], check=True)
    return folder


@NO_NVML
@need.tool("gcc")
def test_nvml_is_asked_first(tmp_path: Path) -> None:
    fake_smi(fake_nvml(tmp_path), "echo never")
    said = asked_with(tmp_path, LD_LIBRARY_PATH=str(tmp_path))
    assert said == "2 None ['0', '1'] ['Fake', 'Fake']\n"


@NO_NVML
@need.tool("gcc")
@pytest.mark.parametrize("broken", [{"init": 9}, {"card": 15}])
def test_nvidia_smi_is_asked_where_nvml_fails(tmp_path: Path, broken: dict[str, int]) -> None:
    fake_smi(fake_nvml(tmp_path, **broken), f'echo "{ROW}"')
    said = asked_with(tmp_path, LD_LIBRARY_PATH=str(tmp_path))
    assert said.startswith("1 None ['0']")
