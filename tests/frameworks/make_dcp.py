"""What torch's distributed checkpoint writes for FSDP on two ranks, and for one process."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.fsdp import fully_shard

from tests.frameworks import made

RANKS = 2


def main() -> None:
    out = made.folder()
    save(out / "step-2", shard=False)
    mp.spawn(as_rank, (str(out),), nprocs=RANKS)
    made.say(out, {name: facts(out / name) for name in ("step-2", "step-3")})


def as_rank(rank: int, out: str) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{out}/meeting", rank=rank, world_size=RANKS
    )
    save(Path(out, "step-3"), shard=True)
    dist.barrier()
    os._exit(0)  # gloo may abort while it is torn down


def save(folder: Path, *, shard: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3).to(torch.bfloat16))
    if shard:
        mesh = dist.init_device_mesh("cpu", (RANKS,))
        for part in (model[0], model[2], model):
            fully_shard(part, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters())
    (model[0](torch.randn(5, 4)).sum() + model[2](torch.randn(5, 8).bfloat16()).sum()).backward()
    optimizer.step()
    weights, moments = get_state_dict(model, optimizer)
    step = int(folder.name.split("-")[1])
    state = {"model": weights, "optimizer": moments, "step": step, "loss": 0.25}
    dcp.save(state, checkpoint_id=folder, no_dist=not shard)


def facts(folder: Path) -> dict:
    whole = folder.with_suffix(".whole")
    dcp_to_torch_save(folder, whole)
    loaded = torch.load(whole, weights_only=False)
    whole.unlink()
    return {
        "step": loaded["step"],
        "loss": loaded["loss"],
        "world_size": RANKS if folder.name == "step-3" else 1,
        "tensors": {f"model.{k}": v for k, v in made.tensors_of(loaded["model"]).items()},
    }


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
