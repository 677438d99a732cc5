"""`trainctl show`: one run's record, its attempts, its checkpoints, and why it ended."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.records.state import Reason, State, next_command
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.kit.names import RunFolder
    from trainctl.records.job import Job
    from trainctl.records.record import AttemptRecord, Record

HELP = """\
Show one run: what it runs, where, each attempt, its checkpoints, and why it ended.

\b
Examples:
  trainctl show             the newest run
  trainctl show train-7f    the run whose name begins so
  trainctl show --diff      what its code had that no commit has
  trainctl show --json
"""
_SHOWN_CHECKPOINTS = 5
_REMARKS = ("stalled", "recovered", "disk_will_fill", "unfinished")
_TOLD_PACKAGES = ("torch", "jax", "tensorflow", "transformers", "lightning", "numpy")


@click.command("show", help=HELP)
@click.argument("run", required=False)
@click.option("--diff", is_flag=True, help="Print the recorded diff of its working tree.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def show_command(run: str | None, *, diff: bool, as_json: bool) -> int:
    from trainctl.control import lookup
    from trainctl.records import job as jobs

    here = stand.here()
    folder = lookup.find(here, run)
    if diff:
        _print_diff(folder)
        return 0
    looked = lookup.look(here, folder)
    found = looked.record
    lookup.note(here, folder)
    job = jobs.read(folder)
    if as_json:
        output.print_json("run.show", to_json(folder, job, found))
        return 0
    for label, text in [*_facts(folder, job, found), *_attempts(found)]:
        output.line(f"{label:<12} {neutralise(text)}".rstrip())
    for label, text in _checkpoints(job, found, here.home.manifests):
        output.line(f"{label:<12} {neutralise(text)}".rstrip())
    for broken in found.corrupt:
        output.note(f"trainctl: {broken} is damaged and was left out")
    if looked.warning:
        output.note(f"trainctl: {looked.warning}")
    command = _next(found)
    if command:
        output.line(f"{'next':<12} {command}")
    return 0


def _next(found: Record) -> str:
    if found.reason is Reason.SUCCEEDED:
        return f"trainctl logs {found.name}"
    if found.reason is not None:
        return next_command(found.reason, found.name, found.evidence)
    return f"trainctl logs -f {found.name}" if found.living else ""


def to_json(folder: RunFolder, job: Job, found: Record) -> dict[str, Any]:
    """What `show --json` holds: the job, the state, the attempts, the code."""
    from trainctl.kit import files

    attempts = [
        {name: value for name, value in attempt._asdict().items() if name != "moves"}
        for attempt in found.attempts
    ]
    return {
        "name": found.name,
        "path": found.path,
        "state": found.state,
        "reason": found.reason,
        "evidence": found.evidence,
        "living": found.living,
        "job": job.to_json(),
        "code": files.read_json(folder.code),
        "begun": job.resume.get("begun"),
        "attempts": attempts,
        "events": found.events,
        "corrupt": found.corrupt,
    }


def _facts(folder: RunFolder, job: Job, found: Record) -> list[tuple[str, str]]:
    from trainctl.kit import files

    state = str(found.reason or found.state).replace("_", " ")
    facts = [
        ("run", found.name),
        ("state", f"{state} ({found.evidence})" if found.evidence else state),
        ("command", shlex.join(_readable(job.typed))),
        ("folder", output.home_short(job.cwd)),
    ]
    recorded = files.read_json(folder.code)
    if job.interpreter is not None:
        facts.append(("python", _python(job.interpreter, recorded)))
    facts.extend([("code", _code(recorded)), ("started", _when(job.created))])
    host = job.host
    memory = float(host.get("memory_bytes") or 0)
    facts.append(("host", f"{host.get('name')}, {host.get('cpus')} CPUs, {output.size(memory)}"))
    if job.gpus["count"]:
        facts.append(("GPUs", f"{job.gpus['count']} claimed{_cards(recorded)}"))
    names = [*job.env, *job.env_names]
    facts.extend(
        (label, text)
        for label, text in (
            ("variables", ", ".join(names)),
            ("tags", " ".join(job.tags)),
            ("rerun of", job.rerun_of or ""),
            ("begun with", _begun(job)),
            ("log", output.home_short(folder.attempt(max(1, len(found.attempts))).log)),
            ("resume", _resume(job)),
        )
        if text
    )
    return facts


def _readable(words: list[str]) -> list[str]:
    return [word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in words]


def _resume(job: Job) -> str:
    if job.resume["mode"] == "never":
        return "never"
    args = shlex.join(job.resume["args"]) if job.resume["args"] else "TRAINCTL_RESUME_FROM"
    return f"{args} ({job.resume['why']})"


def _begun(job: Job) -> str:
    """The checkpoint that its first attempt went on from, and who made that."""
    begun: dict[str, Any] | None = job.resume.get("begun")
    if not begun:
        return ""
    text = _near(str(begun["path"]), job)
    if "://" in str(begun["asked"]):
        text = f"{begun['asked']}, as {text}"
    if begun.get("run"):
        by = f"attempt {begun['attempt']} of " if begun.get("attempt") else ""
        step = f", step {begun['step']}" if begun.get("step") is not None else ""
        text += f", made by {by}{begun['run']}{step}"
    return text


def _near(path: str, job: Job) -> str:
    near = os.path.relpath(path, job.cwd)
    return output.home_short(path) if near.startswith("..") else near


def _python(interpreter: dict[str, str], recorded: dict[str, Any] | None) -> str:
    """Where, why, which version, and of the packages those that matter in training."""
    python: dict[str, Any] = (recorded or {}).get("python") or {}
    packages: dict[str, str] = python.get("packages") or {}
    told = [f"{name} {packages[name]}" for name in _TOLD_PACKAGES if name in packages]
    path = output.home_short(interpreter["path"])
    versions = ", ".join([*([str(python["version"])] if python else []), *told])
    return f"{path} ({interpreter['why']}){f' · {versions}' if versions else ''}"


def _cards(recorded: dict[str, Any] | None) -> str:
    seen: list[dict[str, Any]] = (recorded or {}).get("gpus") or []
    there = sorted({str(card["name"]) for card in seen})
    return f" of {', '.join(there)}" if there else ""


def _code(code: dict[str, Any] | None) -> str:
    if code is None:
        return "not recorded"
    if not code.get("commit"):
        return str(code.get("why", "not recorded"))
    text = f"commit {str(code['commit'])[:10]}"
    if code.get("dirty"):
        changed, new = len(code.get("changed", [])), len(code.get("untracked", []))
        text += f", {output.counted(changed, 'file')} changed, {new} untracked"
        text += " (trainctl show --diff)" if code.get("diff_bytes") else ""
    return text


def _when(at: float) -> str:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    return f"{clock}, {output.age(time.time() - at)} ago"


def _attempts(found: Record) -> list[tuple[str, str]]:
    return [(f"attempt {attempt.number}", _attempt(attempt, found)) for attempt in found.attempts]


def _attempt(attempt: AttemptRecord, found: Record) -> str:
    began = attempt.started or 0.0
    if attempt.ended is None:
        return f"{found.state}, process {attempt.trainer_pid or 'not started yet'}"
    parts = [
        str(attempt.reason or State.SAVING).replace("_", " "),
        output.duration(attempt.ended - began),
    ]
    if attempt.evidence:
        parts.append(attempt.evidence)
    if attempt.max_rss_bytes:
        parts.append(f"peak memory {output.size(attempt.max_rss_bytes)}")
    if attempt.cpu_seconds is not None:
        parts.append(f"CPU {output.duration(attempt.cpu_seconds)}")
    if attempt.resumed_from:
        parts.append(f"from {os.path.basename(attempt.resumed_from)}")
    if attempt.gpus:
        parts.append(f"GPU {','.join(attempt.gpus)}")
    return " · ".join([*parts, *_told(attempt)])


def _told(attempt: AttemptRecord) -> list[str]:
    """What the agent remarked, the last of it, and why the store has not what it should."""
    remarks = [event for event in attempt.events if event["event"] in _REMARKS]
    parts = [f"{one['event'].replace('_', ' ')}: {one['evidence']}" for one in remarks[-2:]]
    failed = [event for event in attempt.saved if event["event"] == "push_failed"]
    return [*parts, *(f"not pushed: {event['why']}" for event in failed[-1:])]


def _checkpoints(job: Job, found: Record, manifests: str) -> list[tuple[str, str]]:
    if not found.checkpoints:
        return [("checkpoints", "none seen")]
    lines = [("checkpoints", f"{len(found.checkpoints)} seen")]
    for seen in found.checkpoints[-_SHOWN_CHECKPOINTS:]:
        step = [] if seen.get("step") is None else [f"step {seen['step']}"]
        parts = [
            *step,
            _near(seen["path"], job),
            output.size(seen["size"]),
            *_fate(seen, manifests),
        ]
        lines.append(("", " · ".join(parts)))
    return lines


def _fate(seen: dict[str, Any], manifests: str) -> list[str]:
    """What became of it: hashed, written to since, sent to the store, gone from here."""
    told: list[str] = []
    if seen.get("verified"):
        told.append("verified" if _stands(seen, manifests) else "changed since")
    if seen.get("pushed"):
        told.append(f"pushed as {seen['pushed']}")
    if not os.path.exists(seen["path"]):
        told = [*(one for one in told if one != "changed since"), "gone"]
    return told


def _stands(seen: dict[str, Any], manifests: str) -> bool:
    """By sizes and times alone; where its manifest is gone, by its size."""
    from trainctl.kit import manifest
    from trainctl.kit.checkpoints import look

    filed = manifest.read(manifests, seen["path"])
    if filed is not None:
        return manifest.stands(filed, seen["path"])
    there = look(seen["path"])
    return there is not None and there.size == seen["size"]


def _print_diff(folder: RunFolder) -> None:
    try:
        with open(folder.diff, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        output.note(f"trainctl: {folder.name} has no recorded diff")
        return
    for line in text.splitlines():
        output.line(neutralise(line, multiline=True))
