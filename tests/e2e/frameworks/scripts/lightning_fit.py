"""As Lightning's guide trains: a LightningModule, ModelCheckpoint, fit(ckpt_path=...)."""

from __future__ import annotations

import argparse
import sys
import warnings

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(pl.LightningModule):
    def __init__(self, width: int = 32, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 1))

    def training_step(self, batch, _):
        x, y = batch
        loss = nn.functional.mse_loss(self.layers(x)[:, 0], y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.layers(x)[:, 0], y))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)


def points(count: int, seed: int) -> TensorDataset:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=random)
    noise = 0.1 * torch.randn(count, generator=random)
    return TensorDataset(x, torch.sin(x[:, 0]) + x[:, 1] * x[:, 2] + noise)


def main(argv: list[str]) -> float:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save_dir", default="checkpoints")
    parser.add_argument("--ckpt", help="go on from this checkpoint")
    parser.add_argument("--last", action="store_true", help="keep last.ckpt, too")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    pl.seed_everything(args.seed, verbose=False)
    torch.set_num_threads(1)
    saving = ModelCheckpoint(
        dirpath=args.save_dir, every_n_train_steps=10, save_top_k=-1, save_last=args.last
    )
    trainer = pl.Trainer(
        max_epochs=args.epochs,
        accelerator="cpu",
        callbacks=[saving],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(points(512, seed=1), batch_size=16, shuffle=True)
    model = Regressor()
    trainer.fit(model, loader, ckpt_path=args.ckpt)
    held_out = DataLoader(points(256, seed=2), batch_size=256)
    return trainer.validate(model, held_out, verbose=False)[0]["val_loss"]


if __name__ == "__main__":
    print(f"final loss={main(sys.argv[1:])!r}")
