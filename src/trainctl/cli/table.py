"""Every command as data, so that the help page is printed without importing any of them."""

from __future__ import annotations


class Entry:
    """One command. A plain class: importing `typing` alone costs more than the whole help page."""

    def __init__(self, name: str, module: str, help: str, group: str) -> None:
        self.name = name
        self.module = module
        self.help = help
        self.group = group


TRAIN, LOOK, SETUP = "Train", "Look", "Set up"
COMMANDS = (
    Entry("run", "run", "Start a run: a script, -m module, torchrun, any program", TRAIN),
    Entry("local", "run", "The same, on this machine", TRAIN),
    Entry("stop", "stop", "End a run gracefully: SIGTERM, a grace, SIGKILL", TRAIN),
    Entry("resume", "resume", "Go on with a run from its newest checkpoint", TRAIN),
    Entry("rerun", "resume", "Start the same job anew, as a new run", TRAIN),
    Entry("delete", "delete", "Remove a run's record and log", TRAIN),
    Entry("list", "listing", "List runs, newest first", LOOK),
    Entry("show", "show", "Show one run: command, attempts, checkpoints, why it ended", LOOK),
    Entry("logs", "logs", "Print or follow a run's output", LOOK),
    Entry(
        "checkpoint", "checkpoint", "List, inspect, verify, prune, move, resume checkpoints", LOOK
    ),
    Entry("init", "init", "Propose a trainctl.toml for this project", SETUP),
    Entry("config", "settings", "Show, validate or find the configuration", SETUP),
    Entry("doctor", "doctor", "Examine this machine and say what to mend", SETUP),
    Entry("completion", "completion", "Print a completion script for bash, zsh or fish", SETUP),
)
BY_NAME = {entry.name: entry for entry in COMMANDS}

EXAMPLES = """\
Examples:
  trainctl run train.py --epochs 5          train, stream the output, keep a record
  trainctl run --detach --gpus 1 train.py   the same in the background, on one GPU
  trainctl logs -f                          follow the newest run
  trainctl resume                           go on from its newest checkpoint
"""

TAIL = """\
RUN is any unique beginning of a run's name; left out, it is the newest run.
trainctl COMMAND --help tells more. Every command that shows something has --json.
"""


def page(version: str) -> str:
    """The top help page."""
    lines = [
        f"trainctl {version}: ML training with one record, one log and one list of checkpoints",
        "",
        "Usage: trainctl COMMAND [OPTIONS] [ARGS]",
        "",
        EXAMPLES,
    ]
    for group in (TRAIN, LOOK, SETUP):
        lines.append(f"{group}:")
        lines.extend(f"  {e.name:<12}{e.help}" for e in COMMANDS if e.group == group)
        lines.append("")
    return "\n".join(lines) + "\n" + TAIL
