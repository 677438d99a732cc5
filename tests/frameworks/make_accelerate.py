"""What accelerate's save_state writes, by itself and with a name of the script's own."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.frameworks import made


class Progress:
    """What a script registers, so that its own counters come back."""

    def __init__(self) -> None:
        self.step = 0

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.step = state["step"]


def main() -> None:
    out = made.folder()
    settings = ProjectConfiguration(project_dir=str(out), automatic_checkpoint_naming=True)
    accelerator = Accelerator(cpu=True, project_config=settings)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    batches = DataLoader(TensorDataset(torch.randn(8, 4)), batch_size=2)
    model, optimizer, batches, schedule = accelerator.prepare(model, optimizer, batches, schedule)
    progress = Progress()
    accelerator.register_for_checkpointing(progress)
    for (batch,) in batches:
        accelerator.backward(model(batch).square().mean())
        optimizer.step()
        schedule.step()
        progress.step += 1
    accelerator.save_state()
    settings.automatic_checkpoint_naming = False
    accelerator.save_state(str(out / "step_4"), safe_serialization=False)
    accelerator.save_state(str(out / "epoch_0"))

    tensors = made.tensors_of(load_file(out / "epoch_0" / "model.safetensors"))
    names = {"checkpoints/checkpoint_0": None, "step_4": 4, "epoch_0": None}
    made.say(out, {name: {"named_step": step, "tensors": tensors} for name, step in names.items()})


if __name__ == "__main__":
    main()
