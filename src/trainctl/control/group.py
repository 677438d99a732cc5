"""Several workers of one script on this machine: `--nproc`, by torch.distributed.run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trainctl.control.pythons import Interpreter
from trainctl.errors import UsageError
from trainctl.kit.group_args import ENDPOINT, RANKS

Workers = int | Literal["auto"]


def wrap(interpreter: Interpreter, nproc: Workers, launched: Sequence[str]) -> tuple[str, ...]:
    """The command that starts `nproc` workers of `launched` (a path or `-m module`, then args).

    `{port}` and `{ranks}` stay in it: a free port, and the attempt's folder of rank logs, are
    known only when the attempt starts (kit.group_args.fill_group). "auto" is a worker per card,
    or per CPU where there is none, as torchrun counts them. A group restarts as a new attempt,
    never inside torchrun, so that there is one count of attempts.
    """
    if nproc != "auto" and nproc < 1:
        raise UsageError(
            f"--nproc {nproc}: a group needs at least one worker", hint="--nproc auto, or 1 and up"
        )
    return (
        *_python(interpreter, launched),
        *("-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(nproc)),
        # An explicit endpoint, as --standalone hangs when a group restarts; is_host, as torchrun
        # takes itself for the host only if the endpoint resolves to the machine's own name.
        *("--rdzv-id", "trainctl", "--rdzv-backend", "c10d", "--rdzv-endpoint", ENDPOINT),
        *("--rdzv-conf", "is_host=1", "--local-addr", "127.0.0.1", "--max-restarts", "0"),
        *("--tee", "3", "--log-dir", RANKS),
        # Without `--` torchrun takes a script's `--nproc` for an abbreviation of its own option.
        *(("-m", "--", *launched[1:]) if launched[0] == "-m" else ("--", *launched)),
    )


def _python(interpreter: Interpreter, launched: Sequence[str]) -> tuple[str, ...]:
    """`uv run --script` takes the script alone; uv reads the same block as requirements."""
    if not interpreter.script_only:
        return interpreter.runs
    uv = interpreter.path
    return (uv, "run", "--no-project", "--with-requirements", launched[0], "python")
