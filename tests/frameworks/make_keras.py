"""What Keras 3 writes: models, weights, and what BackupAndRestore keeps."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

from pathlib import Path

import h5py
import keras
import numpy as np

from tests.frameworks import made


class Keeping(keras.callbacks.BackupAndRestore):
    """Leaves its backup where it is, as a killed training would."""

    def on_train_end(self, logs=None) -> None:
        pass


def main() -> None:
    out = made.folder()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    )
    model.compile("adamw", "mse")
    saver = keras.callbacks.ModelCheckpoint(str(out / "epoch-{epoch}.keras"))
    keeper = Keeping(str(out / "backup"))
    data = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
    model.fit(*data, epochs=2, batch_size=4, callbacks=[saver, keeper], verbose=0)
    model.save_weights(out / "model.weights.h5")
    model.save(out / "model.h5") if hasattr(model, "save") else None
    squared = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * x)])
    squared.save(out / "lambda.keras")
    print(sorted(str(p.relative_to(out)) for p in out.rglob("*")))


if __name__ == "__main__":
    main()
