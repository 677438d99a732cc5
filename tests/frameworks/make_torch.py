"""What plain PyTorch scripts save: state dicts with the optimizer's, and whole modules."""

from __future__ import annotations

import torch
from torch import nn

from tests.frameworks import made


def main() -> None:
    out = made.folder()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2).to(torch.bfloat16).float())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss = torch.tensor(0.0)
    for _ in range(3):
        loss = model(torch.randn(5, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 1,
        "global_step": 3,
        "loss": loss.item(),
    }
    torch.save(state, out / "step-3.pt")
    torch.save(model, out / "model.pth")
    half = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    torch.save(half, out / "half.bin")
    torch.save(state, out / "legacy.pt", _use_new_zipfile_serialization=False)

    loaded = torch.load(out / "step-3.pt", weights_only=True)
    whole = torch.load(out / "model.pth", weights_only=False)
    said = {
        "step-3.pt": {
            "step": loaded["global_step"],
            "epoch": loaded["epoch"],
            "loss": loaded["loss"],
            "tensors": made.tensors_of(loaded["model"]),
        },
        "model.pth": {"tensors": made.tensors_of(whole.state_dict())},
        "half.bin": {"tensors": made.tensors_of(torch.load(out / "half.bin"))},
        "legacy.pt": {},
    }
    made.say(out, said)


if __name__ == "__main__":
    main()
