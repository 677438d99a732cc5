"""A training loop as people write it: torch.save straight to its name, --resume PATH."""

from __future__ import annotations

import argparse
import os
import sys

import torch
from torch import nn


def points(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=random)
    noise = 0.1 * torch.randn(count, generator=random)
    return x, torch.sin(x[:, 0]) + x[:, 1] * x[:, 2] + noise


def main(argv: list[str]) -> float:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-dir", default="out")
    parser.add_argument("--resume", metavar="PATH", help="checkpoint file to go on from")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Dropout(0.1), nn.Linear(256, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = points(512, seed=1)
    first = 0
    if args.resume:
        saved = torch.load(args.resume, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["rng"])
        first = saved["step"]
        print(f"resumed at step {first}", flush=True)
    os.makedirs(args.out_dir, exist_ok=True)
    for step in range(first + 1, args.steps + 1):
        rows = torch.randint(len(x), (64,))
        loss = nn.functional.mse_loss(model(x[rows])[:, 0], y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.save_every == 0:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rng": torch.get_rng_state(),
                "step": step,
            }
            torch.save(state, os.path.join(args.out_dir, f"ckpt_{step}.pt"))
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    model.eval()
    x, y = points(256, seed=2)
    with torch.no_grad():
        return nn.functional.mse_loss(model(x)[:, 0], y).item()


if __name__ == "__main__":
    print(f"final loss={main(sys.argv[1:])!r}")
