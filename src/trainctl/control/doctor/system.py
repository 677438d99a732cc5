"""Checks of the machine: its programs, cards and limits."""

from __future__ import annotations

import ctypes
import glob
import os
import pwd
import re
import resource

from trainctl.control.doctor.machine import Finding, Machine

_PR_GET_CHILD_SUBREAPER = 37  # prctl(2)
_LEAST_WATCHES = 64


def git(machine: Machine) -> list[Finding]:
    answer = machine.ask(["git", "--version"])
    if answer.code == 0:
        return [Finding("ok", "git", answer.text.removeprefix("git version "))]
    remedy = "xcode-select --install" if machine.platform == "darwin" else "apt install git"
    return [Finding("warn", "git", "not there: commit and changes are not recorded", remedy)]


def uv(machine: Machine) -> list[Finding]:
    answer = machine.ask(["uv", "--version"])
    if answer.code == 0:
        return [Finding("ok", "uv", answer.text.removeprefix("uv "))]
    if os.path.exists(os.path.join(machine.cwd, "uv.lock")):
        remedy = "pip install uv, or make .venv by hand"
        return [Finding("warn", "uv", "not there, and this project has a uv.lock", remedy)]
    return [
        Finding("ok", "uv", "not there; only uv.lock and scripts with a PEP 723 block need it")
    ]


def cards(machine: Machine) -> list[Finding]:
    seen = machine.cards()
    if seen.trouble:
        return [Finding("fail", "GPUs", seen.trouble, "nvidia-smi, and the kernel's log: dmesg")]
    if not seen.cards:
        return [Finding("ok", "GPUs", "no NVIDIA card or driver here; scripts run on the CPU")]
    names = sorted({card.name for card in seen.cards})
    return [Finding("ok", "GPUs", f"{len(seen.cards)}: {', '.join(names)}")]


def watches(machine: Machine) -> list[Finding]:
    """`logs -f` wakes up by inotify, and polls where there is none left."""
    text = machine.read("proc/sys/fs/inotify/max_user_instances")
    if text is None or not text.strip().isdigit():
        return [Finding("ok", "inotify", "not here; logs are followed by polling")]
    limit = int(text)
    if limit >= _LEAST_WATCHES:
        return [Finding("ok", "inotify", f"{limit} instances")]
    return [
        Finding(
            "warn",
            "inotify",
            f"only {limit} instances: following a log may have to poll",
            "sudo sysctl fs.inotify.max_user_instances=512",
        )
    ]


def subreaper(machine: Machine) -> list[Finding]:
    """Whether what a trainer leaves behind can be adopted, and so found and ended."""
    if machine.platform == "darwin":
        return [
            Finding(
                "warn",
                "macOS",
                "no subreaper and no /proc: left-over processes are found by their environment "
                "only, and a sleeping machine pauses its runs",
                "keep it awake while training: caffeinate -i trainctl run ...",
            )
        ]
    answer = ctypes.c_int()
    try:
        supported = ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer)) == 0
    except (OSError, AttributeError):
        supported = False
    if supported:
        return [Finding("ok", "subreaper", "supported by this kernel")]
    remedy = "runs still end; look for what they leave behind: trainctl doctor"
    return [Finding("warn", "subreaper", "refused here (a sandbox?)", remedy)]


def open_files(machine: Machine) -> list[Finding]:
    del machine
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= 1024 or soft == resource.RLIM_INFINITY:
        return [Finding("ok", "open files", f"up to {soft} a process")]
    detail = f"only {soft} a process: data loaders with many workers run out"
    return [Finding("warn", "open files", detail, "ulimit -n 4096")]


def logout(machine: Machine) -> list[Finding]:
    """KillUserProcesses=yes ends also detached runs when their user logs out.

    Source: logind.conf(5). Lingering alone does not help: it keeps the user's manager, while
    the session's own scope is ended all the same, unless a run is started outside of it.
    """
    if _kill_user_processes(machine) != "yes":
        return []
    name = _user_name(machine)
    if name in _setting(machine, "KillExcludeUsers", "root").split():
        return []
    return [
        Finding(
            "warn",
            "logout",
            "systemd ends all processes of a user who logs out, also detached runs",
            f"loginctl enable-linger {name}, and start runs outside the session: "
            "systemd-run --user --scope trainctl run ...; or set KillUserProcesses=no in "
            "/etc/systemd/logind.conf",
        )
    ]


def _kill_user_processes(machine: Machine) -> str:
    value = _setting(machine, "KillUserProcesses", "no").lower()
    return "yes" if value in {"yes", "true", "on", "1"} else "no"


def _setting(machine: Machine, key: str, default: str) -> str:
    """What logind goes by: drop-ins in the order of their names over the main file.

    The main file's commented line tells what this system was built with.
    """
    main = machine.read("etc/systemd/logind.conf") or ""
    built = re.search(rf"^#{key}=(.*)$", main, re.MULTILINE)
    value = built[1] if built else default
    folders = ("usr/lib/systemd", "run/systemd", "etc/systemd")
    drop_ins = {
        os.path.basename(path): path
        for folder in folders
        for path in glob.glob(os.path.join(machine.root, folder, "logind.conf.d", "*.conf"))
    }
    texts = [main, *(machine.read(drop_ins[name]) or "" for name in sorted(drop_ins))]
    for text in texts:
        for set_to in re.findall(rf"^\s*{key}\s*=\s*(.*?)\s*$", text, re.MULTILINE):
            value = set_to
    return value


def _user_name(machine: Machine) -> str:
    try:
        return pwd.getpwuid(machine.user).pw_name
    except KeyError:
        return str(machine.user)
