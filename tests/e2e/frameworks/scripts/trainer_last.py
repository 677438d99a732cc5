"""A Trainer that looks for its last checkpoint itself: by the highest number, whole or not."""

from __future__ import annotations

import os
import sys

import torch
import trainer as example
from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint


def main(argv: list[str] | None = None) -> float:
    (training_args,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses(args=argv)
    set_seed(training_args.seed)
    torch.set_num_threads(1)
    last = None
    if os.path.isdir(training_args.output_dir):
        last = get_last_checkpoint(training_args.output_dir)
        print("last checkpoint:", last)
    training = Trainer(
        model=example.Model(32),
        args=training_args,
        train_dataset=example.Points(512, seed=1),
        eval_dataset=example.Points(256, seed=2),
    )
    training.train(resume_from_checkpoint=last)
    return training.evaluate()["eval_loss"]


if __name__ == "__main__":
    print(f"final loss={main(sys.argv[1:])!r}")
