"""Train a small GPT to write like the King James Bible, one character after the other.

    python examples/charlm.py --steps 300
    python examples/charlm.py --steps 600 --resume checkpoints/charlm/step_000300.pt

A checkpoint holds the model, AdamW's state, every random state and the position in the data, so a
resumed run ends with the very loss of one that was never interrupted. SIGTERM finishes the step,
saves and leaves. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

TEXT = Path(__file__).parent / "data" / "wisdom.txt"
TERMINATED = 128 + signal.SIGTERM
HELD_OUT = 0.1  # of the text, never trained on


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small GPT on a text, by characters.")
    out = os.environ.get("TRAINCTL_CHECKPOINT_DIR", "checkpoints/charlm")
    parser.add_argument("--text", type=Path, default=TEXT, help="what to learn from")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--block", type=int, default=64, help="characters the model looks back")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--embed", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=50, metavar="STEPS")
    parser.add_argument("--log-every", type=int, default=10, metavar="STEPS")
    parser.add_argument("--out-dir", type=Path, default=Path(out), help="where checkpoints go")
    parser.add_argument("--resume", type=Path, metavar="PATH", help="a checkpoint to go on from")
    parser.add_argument("--threads", type=int, default=0, help="for torch; 0 leaves it to torch")
    parser.add_argument("--sample", type=int, default=0, help="characters to write at the end")
    return parser.parse_args(argv)


# The model: GPT-2's shape, small (Radford et al., 2019)


class Block(nn.Module):
    def __init__(self, embed: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention = nn.LayerNorm(embed)
        self.query_key_value = nn.Linear(embed, 3 * embed)
        self.attended = nn.Linear(embed, embed)
        self.before_mlp = nn.LayerNorm(embed)
        self.mlp = nn.Sequential(
            nn.Linear(embed, 4 * embed),
            nn.GELU(),
            nn.Linear(4 * embed, embed),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, time, embed), in and out."""
        x = x + self.attend(self.before_attention(x))
        return x + self.mlp(self.before_mlp(x))

    def attend(self, x: Tensor) -> Tensor:
        batch, time, embed = x.shape
        each_head = (batch, time, self.heads, embed // self.heads)
        q, k, v = (
            part.view(each_head).transpose(1, 2)
            for part in self.query_key_value(x).split(embed, dim=2)
        )
        dropout = self.dropout if self.training else 0.0
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.attended(y.transpose(1, 2).reshape(batch, time, embed))


class GPT(nn.Module):
    def __init__(self, characters: int, args: argparse.Namespace) -> None:
        super().__init__()
        self.block = args.block
        self.character = nn.Embedding(characters, args.embed)
        self.position = nn.Embedding(args.block, args.embed)
        self.layers = nn.Sequential(
            *(Block(args.embed, args.heads, args.dropout) for _ in range(args.layers))
        )
        self.norm = nn.LayerNorm(args.embed)
        self.scores = nn.Linear(args.embed, characters, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From (batch, time) characters to (batch, time, characters) scores of the next one."""
        places = torch.arange(x.shape[1])
        return self.scores(self.norm(self.layers(self.character(x) + self.position(places))))

    def loss(self, x: Tensor, following: Tensor) -> Tensor:
        return functional.cross_entropy(self(x).flatten(0, 1), following.flatten())


# The data


class Blocks:
    """The text cut into blocks, in a new order each pass, cut at new places each pass."""

    def __init__(self, text: Tensor, block: int, seed: int) -> None:
        self.text, self.block = text, block
        self.rng = np.random.default_rng(seed)
        self.starts: list[int] = []  # of the blocks still to come in this pass

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Blocks of characters, and the characters that follow each of them."""
        if len(self.starts) < size:
            starts = np.arange(
                random.randrange(self.block), len(self.text) - self.block, self.block
            )
            self.starts = self.rng.permutation(starts).tolist()
        chosen, self.starts = self.starts[:size], self.starts[size:]
        rows = torch.tensor(chosen)[:, None] + torch.arange(self.block + 1)
        blocks = self.text[rows]
        return blocks[:, :-1], blocks[:, 1:]

    def state_dict(self) -> dict[str, Any]:
        return {"starts": self.starts, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.starts, self.rng.bit_generator.state = state["starts"], state["rng"]


# Checkpoints


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside, flush to the disk, rename: a crash leaves a whole checkpoint or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    print(f"saved={path}")


class Training:
    """All that decides how training goes on."""

    def __init__(self, text: Tensor, characters: int, args: argparse.Namespace) -> None:
        random.seed(args.seed)
        torch.manual_seed(args.seed)
        self.step = 0
        self.model = GPT(characters, args)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.lr)
        self.blocks = Blocks(text, args.block, args.seed)

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "data": self.blocks.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "python_rng": random.getstate(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.blocks.load_state_dict(state["data"])
        torch.set_rng_state(state["torch_rng"])
        random.setstate(state["python_rng"])


# Training


class Stop:
    """Whether SIGTERM has come: noted when it arrives, obeyed when the step is whole."""

    asked = False

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.asked = True


def train_step(training: Training, batch_size: int) -> Tensor:
    training.model.train()
    loss = training.model.loss(*training.blocks.batch(batch_size))
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(training.model.parameters(), 1.0)
    training.optimizer.step()
    training.step += 1
    return loss


@torch.no_grad()
def evaluate(model: GPT, text: Tensor) -> float:
    """The loss over a text in nats per character, block by block."""
    model.eval()
    blocks = text[: len(text) // model.block * model.block].view(-1, model.block)
    return float(model.loss(blocks[:, :-1], blocks[:, 1:]))


@torch.no_grad()
def write(model: GPT, start: Tensor, length: int) -> Tensor:
    """Characters that the model thinks may follow."""
    model.eval()
    text = start
    for _ in range(length):
        likely = functional.softmax(model(text[None, -model.block :])[0, -1], dim=0)
        text = torch.cat([text, torch.multinomial(likely, 1)])
    return text[len(start) :]


def main(argv: list[str]) -> int:
    args = parse(argv)
    stop = Stop()
    torch.use_deterministic_algorithms(True)
    if args.threads:
        torch.set_num_threads(args.threads)
    raw = args.text.read_text(encoding="utf-8")
    alphabet = sorted(set(raw))
    text = torch.tensor([alphabet.index(character) for character in raw])
    seen, unseen = text.split([len(text) - int(HELD_OUT * len(text)), int(HELD_OUT * len(text))])

    training = Training(seen, len(alphabet), args)
    if args.resume:
        training.load_state_dict(torch.load(args.resume, weights_only=True))
        print(f"resumed={args.resume} step={training.step}")

    while training.step < args.steps:
        loss = train_step(training, args.batch_size)
        step = training.step
        if step % args.log_every == 0:
            print(f"step={step} loss={loss.item():.4f}")
        if step % args.save_every == 0 or step == args.steps or stop.asked:
            save(args.out_dir / f"step_{step:06d}.pt", training.state_dict())
        if stop.asked:
            return TERMINATED

    if args.sample:
        written = write(training.model, unseen[: args.block], args.sample)
        print("".join(alphabet[i] for i in written.tolist()))
    print(f"final loss={evaluate(training.model, unseen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
