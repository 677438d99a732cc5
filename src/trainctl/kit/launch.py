"""What an attempt starts: the recorded job, its number, and the checkpoint it goes on from.

Controller and agent both start attempts, so both render them here. A waiter only reads what they
rendered; a kit is compiled at each start, so what it does not need is imported where it serves.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from trainctl.kit import files
from trainctl.kit.names import RunFolder
from trainctl.kit.process import RUN_MARK

if TYPE_CHECKING:
    from trainctl.kit.choosing import Checker, Choice


class Launch(NamedTuple):
    """Written beside the job before a waiter starts; holds no value of the user's environment."""

    command: List[str]
    cwd: str
    variables: Dict[str, str]
    gpus: Dict[str, Any]
    locks: str
    wait_seconds: Optional[float]
    after: Optional[str]
    tty: bool
    automatic: bool
    resumed_from: Optional[str]
    extra: List[str]  # arguments added by hand since the first attempt; later attempts keep them

    def write(self, run: RunFolder, attempt: int) -> None:
        if self.resumed_from is not None:
            from trainctl.kit import heirs

            heirs.note(run, attempt, self.resumed_from)
        files.write_json(run.launch(attempt), self._asdict())


def read(run: RunFolder, attempt: int) -> Optional[Launch]:
    """None where there is none, or none that this version understands."""
    value = files.read_json(run.launch(attempt)) or {}
    try:
        return Launch(**{name: value[name] for name in Launch._fields})
    except KeyError:
        return None


def last_by_hand(run: RunFolder, attempt: int) -> int:
    """The attempt that a person started, which this one continues by itself; or this one."""
    while attempt > 1:
        plan = read(run, attempt)
        if plan is None or not plan.automatic:
            break
        attempt -= 1
    return attempt


def render(
    run: RunFolder,
    job: Mapping[str, Any],
    attempt: int,
    *,
    checkpoint: Optional[str] = None,
    automatic: bool = False,
    device: str = "cpu",
    extra: Sequence[str] = (),
) -> Launch:
    """How attempt `attempt` of this job is started.

    checkpoint: what it resumes from; the script hears of it through TRAINCTL_RESUME_FROM always,
    and through the arguments recorded under `resume` where there are some.
    automatic: nobody is there to ask, so that changed code gives way to the recorded snapshot.
    """
    from trainctl.kit.group_args import fill_group, free_port
    from trainctl.kit.resume_args import with_resume

    command = [str(word) for word in job["command"]]
    if job["nproc"] is not None:
        command = fill_group(command, free_port(), run.attempt(attempt).ranks)
    if automatic:
        command = from_snapshot(run, job, command)
    at = int(job["arguments_at"])
    arguments = command[at:] + list(extra)
    if checkpoint is not None:
        arguments = with_resume(arguments, job["resume"]["args"], checkpoint)
    return Launch(
        command=command[:at] + arguments,
        cwd=str(job["cwd"]),
        variables=_variables(run, job, attempt, checkpoint, device),
        gpus=dict(job["gpus"]),
        locks=os.path.join(os.path.dirname(os.path.dirname(run.path)), "locks"),
        wait_seconds=None if automatic else job["wait_seconds"],  # nobody is there to refuse
        after=job["after"] if attempt == 1 else None,
        tty=bool(job["tty"]),
        automatic=automatic,
        resumed_from=checkpoint,
        extra=list(extra),
    )


def choose(run: RunFolder, job: Mapping[str, Any], attempt: int, checker: Checker) -> Choice:
    """What attempt `attempt` goes on from when nobody names it, and what it passes over.

    The newest checkpoint of the run that holds; else what the attempt before it began with, as
    long as that holds. Reads all of what it chooses.
    """
    from trainctl.kit import candidates, choosing

    if job["resume"]["mode"] == "never":
        return choosing.Choice(None, False, [])
    choice = choosing.choose(run, job, checker)
    before = read(run, attempt - 1)
    if choice.candidate is not None or before is None or before.resumed_from is None:
        return choice
    begun = candidates.at(before.resumed_from)
    held = checker.held(begun.found) if begun is not None else choosing.Held()
    if begun is None or held.why is not None:
        return choice
    return choosing.Choice(begun, held.verified, choice.passed)


def render_retry(
    run: RunFolder, job: Mapping[str, Any], attempt: int, checkpoint: Optional[str]
) -> Launch:
    """How attempt `attempt` is started when nobody is there to ask: as the one before it was.

    checkpoint: what it goes on from, as `choose` and `aside.make` have it.
    """
    before = read(run, attempt - 1)
    return render(
        run,
        job,
        attempt,
        checkpoint=checkpoint,
        automatic=True,
        device=before.variables.get("TRAINCTL_DEVICE", "cpu") if before else "cpu",
        extra=before.extra if before else (),
    )


def _variables(
    run: RunFolder,
    job: Mapping[str, Any],
    attempt: int,
    checkpoint: Optional[str],
    device: str,
) -> Dict[str, str]:
    variables = {
        "TRAINCTL_RUN": run.name,
        RUN_MARK: run.path,
        "TRAINCTL_ATTEMPT": str(attempt),
        "TRAINCTL_METRICS": run.attempt(attempt).metrics,
        "TRAINCTL_CHECKPOINT_DIR": str(job["checkpoint_dirs"][0]),
        "TRAINCTL_DEVICE": device,
    }
    if checkpoint is not None:
        variables["TRAINCTL_RESUME_FROM"] = checkpoint
    return variables


def from_snapshot(run: RunFolder, job: Mapping[str, Any], command: List[str]) -> List[str]:
    """The command with its script taken from the recorded code, where the tree has changed since.

    The working folder stays the user's, since data and outputs lie there.
    """
    at: Optional[int] = job["script"]
    if at is None or not snapshot_differs(run, str(job["project"])):
        return command
    script = os.path.join(str(job["cwd"]), command[at])
    kept = os.path.join(run.snapshot, os.path.relpath(script, str(job["project"])))
    if not os.path.isfile(kept):
        return command
    return [*command[:at], kept, *command[at + 1 :]]


def snapshot_differs(run: RunFolder, project: str) -> bool:
    """Whether a file of the recorded code is changed or gone in the project."""
    for parent, _, names in os.walk(run.snapshot):
        for name in names:
            kept = os.path.join(parent, name)
            now = os.path.join(project, os.path.relpath(kept, run.snapshot))
            try:
                with open(kept, "rb") as one, open(now, "rb") as other:
                    if one.read() != other.read():
                        return True
            except OSError:
                return True
    return False


def write_environment(run: RunFolder, environment: Mapping[str, str]) -> None:
    """Keep what the trainer's environment needs while the run lives; its owner may read it."""
    pairs = [os.fsencode(f"{name}={value}") for name, value in environment.items()]
    files.write_atomic(run.secrets, b"\0".join(pairs))


def read_environment(run: RunFolder) -> Dict[str, str]:
    with open(run.secrets, "rb") as file:
        pairs = file.read().split(b"\0")
    return dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)


def forget_environment(run: RunFolder) -> None:
    """Remove it, and what a writer left of it that was killed before it could rename it."""
    name = os.path.basename(run.secrets)
    for found in os.listdir(run.path):
        if found == name or found.startswith(f".{name}."):
            files.remove(os.path.join(run.path, found))
