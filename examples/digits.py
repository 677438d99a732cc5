"""Train a small network on scikit-learn's handwritten digits, in plain numpy.

    python examples/digits.py --epochs 30
    python examples/digits.py --epochs 60 --resume checkpoints/digits/step_001350.safetensors

A checkpoint holds the weights, Adam's moments and the random state, so a resumed run ends with
the very loss of one that was never interrupted. SIGTERM finishes the epoch, saves and leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors
from sklearn.datasets import load_digits

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Weights = dict[str, Array]

TERMINATED = 128 + signal.SIGTERM
HELD_OUT = 360  # images never trained on


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits.")
    out = os.environ.get("TRAINCTL_CHECKPOINT_DIR", "checkpoints/digits")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-dir", type=Path, default=Path(out), help="where checkpoints go")
    parser.add_argument("--resume", type=Path, metavar="PATH", help="a checkpoint to go on from")
    parser.add_argument("--save-every", type=int, default=5, metavar="EPOCHS")
    parser.add_argument("--keep", type=int, default=3, help="how many checkpoints to keep")
    parser.add_argument("--sleep", type=float, default=0, help="seconds to rest after each epoch")
    return parser.parse_args(argv)


@dataclass
class Training:
    """All that decides how training goes on."""

    weights: Weights
    mean: Weights  # Adam's first moment
    square: Weights  # and its second
    rng: np.random.Generator
    epoch: int = 0
    step: int = 0


def begin(pixels: int, hidden: int, classes: int, seed: int) -> Training:
    """Weights as He et al. draw them for ReLU (arXiv:1502.01852), biases at zero."""
    rng = np.random.default_rng(seed)
    weights = {
        "hidden.weight": rng.normal(0, np.sqrt(2 / pixels), (pixels, hidden)),
        "hidden.bias": np.zeros(hidden),
        "output.weight": rng.normal(0, np.sqrt(2 / hidden), (hidden, classes)),
        "output.bias": np.zeros(classes),
    }
    return Training(weights, zeros_like(weights), zeros_like(weights), rng)


def zeros_like(weights: Weights) -> Weights:
    return {name: np.zeros_like(value) for name, value in weights.items()}


# The network


def forward(weights: Weights, x: Array) -> tuple[Array, Array]:
    """The hidden activations, and the probability of each class."""
    hidden = np.maximum(0, x @ weights["hidden.weight"] + weights["hidden.bias"])
    scores = hidden @ weights["output.weight"] + weights["output.bias"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, scores / scores.sum(axis=1, keepdims=True)


def cross_entropy(probabilities: Array, labels: Labels) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())


def gradients(weights: Weights, x: Array, labels: Labels) -> tuple[float, Weights]:
    hidden, probabilities = forward(weights, x)
    error = probabilities.copy()
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    behind = (error @ weights["output.weight"].T) * (hidden > 0)
    return cross_entropy(probabilities, labels), {
        "hidden.weight": x.T @ behind,
        "hidden.bias": behind.sum(axis=0),
        "output.weight": hidden.T @ error,
        "output.bias": error.sum(axis=0),
    }


def adam(training: Training, gradient: Weights, lr: float) -> None:
    """One step of Adam, in place (Kingma and Ba, arXiv:1412.6980, algorithm 1)."""
    training.step += 1
    for name, g in gradient.items():
        mean, square = training.mean[name], training.square[name]
        mean += (1 - 0.9) * (g - mean)
        square += (1 - 0.999) * (g * g - square)
        unbiased = mean / (1 - 0.9**training.step)
        scale = np.sqrt(square / (1 - 0.999**training.step)) + 1e-8
        training.weights[name] -= lr * unbiased / scale


# Checkpoints


def save(training: Training, folder: Path, keep: int) -> None:
    """Write beside, flush to the disk, rename: a crash leaves a whole checkpoint or none."""
    tensors = {
        f"{group}/{name}": value
        for group in ("weights", "mean", "square")
        for name, value in getattr(training, group).items()
    }
    rng = json.dumps(training.rng.bit_generator.state)
    metadata = {"epoch": str(training.epoch), "step": str(training.step), "rng": rng}
    path = folder / f"step_{training.step:06d}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        file.write(to_safetensors(tensors, metadata))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    for old in sorted(folder.glob("step_*.safetensors"))[:-keep]:
        old.unlink()
    print(f"saved={path}")


def load(path: Path) -> Training:
    groups: dict[str, Weights] = {"weights": {}, "mean": {}, "square": {}}
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        for key in file.keys():  # noqa: SIM118 - not a dict: it cannot be iterated
            group, name = key.split("/")
            groups[group][name] = file.get_tensor(key)
    rng = np.random.default_rng()
    rng.bit_generator.state = json.loads(metadata["rng"])
    return Training(**groups, rng=rng, epoch=int(metadata["epoch"]), step=int(metadata["step"]))


# Training


class Stop:
    """Whether SIGTERM has come: noted when it arrives, obeyed when the epoch is whole."""

    asked = False

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.asked = True


def rest(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + seconds
    while not stop.asked and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))


def train_epoch(training: Training, x: Array, labels: Labels, args: argparse.Namespace) -> float:
    """Every image once, in a new order. The mean loss over the batches."""
    order = training.rng.permutation(len(x))
    losses: list[float] = []
    for start in range(0, len(x), args.batch_size):
        chosen = order[start : start + args.batch_size]
        loss, gradient = gradients(training.weights, x[chosen], labels[chosen])
        adam(training, gradient, args.lr)
        losses.append(loss)
    training.epoch += 1
    return float(np.mean(losses))


def evaluate(weights: Weights, x: Array, labels: Labels) -> tuple[float, float]:
    """Loss and accuracy."""
    _, probabilities = forward(weights, x)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    return cross_entropy(probabilities, labels), float(accuracy)


def main(argv: list[str]) -> int:
    args = parse(argv)
    stop = Stop()
    images, labels = load_digits(return_X_y=True)
    images = images / 16  # pixels are 0 to 16
    seen, unseen = slice(None, -HELD_OUT), slice(-HELD_OUT, None)

    if args.resume:
        training = load(args.resume)
        print(f"resumed={args.resume} epoch={training.epoch} step={training.step}")
    else:
        training = begin(images.shape[1], args.hidden, 10, args.seed)

    while training.epoch < args.epochs:
        loss = train_epoch(training, images[seen], labels[seen], args)
        _, accuracy = evaluate(training.weights, images[unseen], labels[unseen])
        epoch, step = training.epoch, training.step
        print(f"epoch={epoch} step={step} loss={loss:.4f} accuracy={accuracy:.4f}")
        if epoch % args.save_every == 0 or epoch == args.epochs:
            save(training, args.out_dir, args.keep)
        rest(args.sleep, stop)
        if stop.asked:
            save(training, args.out_dir, args.keep)
            return TERMINATED

    loss, _ = evaluate(training.weights, images[unseen], labels[unseen])
    print(f"final loss={loss}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
