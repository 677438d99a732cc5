"""What Lightning's ModelCheckpoint writes while it fits."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.frameworks import made


class Regression(pl.LightningModule):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(width, 1)

    def training_step(self, batch, _index):
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, _index):
        self.log("val_loss", self.layer(batch[0]).square().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters())
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


def main() -> None:
    out = made.folder()
    pl.seed_everything(0, verbose=False)
    batches = DataLoader(TensorDataset(torch.randn(8, 4)), batch_size=2)
    saver = ModelCheckpoint(out, monitor="val_loss", mode="min", save_top_k=2, save_last="link")
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        callbacks=[saver],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Regression(), batches, batches)
    said = {}
    for path in sorted(out.glob("*.ckpt")):
        loaded = torch.load(path, weights_only=False)
        (callback,) = loaded["callbacks"].values()
        said[path.name] = {
            "step": loaded["global_step"],
            "epoch": loaded["epoch"],
            "best": ["val_loss", callback["best_model_score"].item(), "min"],
            "version": loaded["pytorch-lightning_version"],
            "tensors": made.tensors_of(loaded["state_dict"]),
        }
    made.say(out, said)


if __name__ == "__main__":
    main()
