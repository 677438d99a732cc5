"""What Keras 3 writes: models, weights, and what BackupAndRestore keeps."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

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
    model.save(out / "model.h5")
    squared = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * x)])
    squared.save(out / "lambda.keras")
    keras.config.set_dtype_policy("bfloat16")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(out / "half.keras")
    version = {"version": keras.__version__}
    said = {
        "epoch-1.keras": {"step": 2, **version, "tensors": tensors_in(out / "epoch-1.keras")},
        "epoch-2.keras": {"step": 4, **version, "tensors": tensors_in(out / "epoch-2.keras")},
        "half.keras": {**version, "tensors": tensors_in(out / "half.keras")},
        "lambda.keras": {**version, "tensors": {}},
        "model.weights.h5": {"step": 4, "tensors": tensors_in(out / "model.weights.h5")},
        "model.h5": {"step": 4, "tensors": tensors_in(out / "model.h5")},
        "backup": {"step": 4, "epoch": 2, "tensors": tensors_in(out / "backup/latest.weights.h5")},
    }
    made.say(out, said)


def tensors_in(path: Path) -> dict:
    """By HDF5's own reading; Keras stores bfloat16 as two opaque bytes."""
    found = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            dtype = "bfloat16" if item.attrs.get("dtype") == "bfloat16" else str(item.dtype)
            found[name] = [list(item.shape), dtype]

    archive = zipfile.ZipFile(path) if path.suffix == ".keras" else None
    file = io.BytesIO(archive.read("model.weights.h5")) if archive is not None else path
    with h5py.File(file) as opened:
        opened.visititems(note)
    return found


if __name__ == "__main__":
    main()
