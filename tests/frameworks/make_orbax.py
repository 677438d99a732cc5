"""What Orbax's CheckpointManager writes, and the newer functions of its v1."""

from __future__ import annotations

import logging
import os
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint.experimental import v1

from tests.frameworks import made


def main() -> None:
    out = made.folder()
    logging.disable(logging.WARNING)
    tree = {
        "params": {"dense": {"kernel": jnp.ones((4, 8)), "bias": jnp.zeros(8, jnp.bfloat16)}},
        "opt_state": {"mu": jnp.ones((4, 8)), "count": jnp.zeros((), jnp.int32)},
        "step": 3,
    }
    options = ocp.CheckpointManagerOptions(
        max_to_keep=2, best_fn=lambda metrics: metrics["loss"], best_mode="min"
    )
    with ocp.CheckpointManager(out / "managed", options=options) as manager:
        for step, loss in ((1, 0.5), (2, 0.25), (3, 0.75)):
            state = ocp.args.StandardSave({**tree, "step": step})
            manager.save(step, args=ocp.args.Composite(state=state), metrics={"loss": loss})
    named = ocp.CheckpointManagerOptions(step_prefix="ckpt")
    with ocp.CheckpointManager(out / "plain", options=named) as manager:
        manager.save(7, args=ocp.args.StandardSave(tree))
    v1.save(out / "alone", tree)
    devices = jax.sharding.Mesh(jax.devices(), ("data",))
    rows = jax.sharding.NamedSharding(devices, jax.sharding.PartitionSpec("data"))
    with ocp.CheckpointManager(out / "many") as manager:
        split = jax.device_put(jnp.ones((8, 6)), rows)
        manager.save(1, args=ocp.args.StandardSave({"split": split, "whole": jnp.ones(3)}))
    made.say(
        out,
        {
            "managed/1": {"step": 1, "loss": 0.5, "tensors": tensors_in(out / "managed/1/state")},
            "managed/2": {"step": 2, "loss": 0.25, "tensors": tensors_in(out / "managed/2/state")},
            "plain/ckpt_7": {"step": 7, "tensors": tensors_in(out / "plain/ckpt_7/default")},
            "alone": {"tensors": tensors_in(out / "alone/state")},
            "many/1": {"step": 1, "tensors": {"whole": [[3], "float32"]}},
        },
    )


def tensors_in(item: Path) -> dict:
    """By Orbax's own reading."""
    with ocp.PyTreeCheckpointer() as reader:
        read = reader.restore(item)
    return {
        ".".join(key.key for key in path): [list(value.shape), str(value.dtype)]
        for path, value in jax.tree.leaves_with_path(read)
        if hasattr(value, "dtype")
    }


if __name__ == "__main__":
    main()
