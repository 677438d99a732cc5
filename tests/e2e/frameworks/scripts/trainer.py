"""As the examples of Hugging Face train: HfArgumentParser, Trainer, --resume_from_checkpoint."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed


@dataclass
class ModelArguments:
    width: int = field(default=32, metadata={"help": "of the hidden layer"})


class Model(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, width), nn.Tanh(), nn.Dropout(0.1), nn.Linear(width, 1)
        )

    def forward(self, x, labels=None):
        out = self.layers(x)[:, 0]
        return {"loss": nn.functional.mse_loss(out, labels), "logits": out}


class Points(Dataset):
    """Noisy values of a function; the same whatever the training's seed."""

    def __init__(self, count: int, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.x = torch.randn(count, 8, generator=random)
        noise = 0.1 * torch.randn(count, generator=random)
        self.y = torch.sin(self.x[:, 0]) + self.x[:, 1] * self.x[:, 2] + noise

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "labels": self.y[index]}


def main(argv: list[str] | None = None) -> float:
    parser = HfArgumentParser((ModelArguments, TrainingArguments))
    model_args, training_args = parser.parse_args_into_dataclasses(args=argv)
    set_seed(training_args.seed)
    torch.set_num_threads(1)
    trainer = Trainer(
        model=Model(model_args.width),
        args=training_args,
        train_dataset=Points(512, seed=1),
        eval_dataset=Points(256, seed=2),
    )
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
    return trainer.evaluate()["eval_loss"]


if __name__ == "__main__":
    print(f"final loss={main(sys.argv[1:])!r}")
