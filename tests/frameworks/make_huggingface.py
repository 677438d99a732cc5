"""What Hugging Face's Trainer writes, whole, sharded and as an adapter."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from tests.frameworks import made

CONFIG = GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=2, n_head=2)


def main() -> None:
    out = made.folder()
    data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)} for _ in range(8)]
    torch.manual_seed(0)
    train(GPT2LMHeadModel(CONFIG), data, out / "trainer")
    adapted = get_peft_model(GPT2LMHeadModel(CONFIG), LoraConfig(target_modules=["c_attn"], r=2))
    train(adapted, data, out / "peft")
    GPT2LMHeadModel(CONFIG).save_pretrained(out / "sharded", max_shard_size="10KB")
    adapted.save_pretrained(out / "adapter")

    said = {f"trainer/{path.name}": trained(path) for path in (out / "trainer").glob("check*")}
    said |= {f"peft/{path.name}": trained(path) for path in (out / "peft").glob("check*")}
    said |= {name: {"tensors": tensors_in(out / name)} for name in ("sharded", "adapter")}
    made.say(out, said)


def train(model: torch.nn.Module, data: list, folder: Path) -> None:
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=2,
        max_steps=6,
        save_steps=2,
        save_total_limit=2,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=2,
        load_best_model_at_end=True,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    Trainer(model, arguments, train_dataset=data, eval_dataset=data[:2]).train()


def trained(path: Path) -> dict:
    state = json.loads((path / "trainer_state.json").read_text())
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    return {
        "step": state["global_step"],
        "epoch": state["epoch"],
        "loss": losses[-1],
        "best": ["eval_loss", state["best_metric"], "min"],
        "tensors": tensors_in(path),
    }


def tensors_in(folder: Path) -> dict:
    found = {}
    for shard in folder.glob("*.safetensors"):
        with safe_open(shard, "pt") as opened:
            found |= made.tensors_of({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    return found


if __name__ == "__main__":
    main()
