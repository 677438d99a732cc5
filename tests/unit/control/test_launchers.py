from __future__ import annotations

import pytest

from trainctl.control.launchers import target


@pytest.mark.parametrize(
    "line",
    [
        "python >train.py --x a.py",
        "python3.12 -u -X dev -Wignore >train.py",
        "python -uB -W ignore >train.py",
        "/env/bin/python -m >pkg.train --m",
        "python -um >pkg.train",
        "python -m torch.distributed.run --nproc-per-node 2 >train.py",
        "python -m accelerate.commands.launch --num_processes 2 >train.py",
        "torchrun --standalone --nproc_per_node 2 >train.py --lr 1",
        "torchrun --nproc_per_node=2 --max-restarts 3 >train.py",
        "torchrun --nproc 2 -t 3 -m >pkg.train",
        ".venv/bin/torchrun --nnodes 1:2 --rdzv_endpoint h:1 --virtual_local_rank >train.py",
        "torchrun --module >pkg.train",
        "accelerate launch --config_file a.yaml >train.py --x",
        "accelerate launch --multi_gpu -m >pkg.train --x",
        "deepspeed --num_gpus 2 >train.py --deepspeed ds.json",
        "uv run >train.py",
        "uv run --with numpy -p 3.12 --frozen python -u >train.py",
        "uv run -m >pkg.train",
        "uv run torchrun --nproc-per-node 2 >train.py",
        "nice -n 5 python >train.py",
        "env A=1 torchrun --nproc-per-node 2 >train.py",
        "mpirun -n 2 >train.py",
        "conda run -n env python >train.py",
    ],
)
def test_the_script_is_found_in_a_launchers_arguments(line, tmp_path):
    (tmp_path / "train.py").touch()
    marked = line.split()
    at = next(index for index, token in enumerate(marked) if token.startswith(">"))
    found = target([token.lstrip(">") for token in marked], str(tmp_path))
    assert found is not None
    assert found.at == at
    assert found.kind == ("module" if marked[at] == ">pkg.train" else "script")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "python",
        "python -c code train.py",
        "python -",
        "python -m",
        "python -mpkg.train",
        "bash train.py",
        "bash run.sh train.py",
        "torchrun",
        "torchrun --no-python train.py",
        "torchrun --nproc-per-node",
        "uv run",
        "uv run -m",
        "uv pip train.py",
        "./program --config absent.py",
        "accelerate launch",
    ],
)
def test_where_one_cannot_tell_nothing_is_told(line, tmp_path):
    (tmp_path / "train.py").touch()
    expected = None if line != "uv pip train.py" else 2
    found = target(line.split(), str(tmp_path))
    assert (found.at if found else None) == expected
