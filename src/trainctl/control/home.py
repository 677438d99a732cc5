"""The state folder: made private, and refused where its files would not be safe."""

from __future__ import annotations

import os
import stat

from trainctl.errors import ConfigError, RefusedError, TrainctlError
from trainctl.kit.names import Home

MOUNTS = "/proc/self/mountinfo"
# Locks and the index need one kernel that sees all writers; these have two.
_NETWORK = """9p afs beegfs ceph cifs coda davfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs panfs
    pvfs2 smb3 smbfs vboxsf wekafs"""
_NETWORK_FUSE = """afpfs ceph curlftpfs davfs2 gcsfuse glusterfs goofys juicefs mount-s3
    rclone s3fs seaweedfs smbnetfs sshfs"""
_ELSEWHERE = "use a folder of your own on a local disk: export TRAINCTL_HOME=/path/to/folder"


def open_home(path: str, mounts: str = MOUNTS) -> Home:
    """The state folder, made with mode 0700 when it is not there.

    mounts: the kernel's list of mounts; where there is none (macOS) network file systems are not
    noticed. Raises ConfigError or RefusedError, each with the command that helps.
    """
    trouble = trouble_with(path, os.geteuid(), mounts)
    if trouble:
        raise trouble
    _make(path)
    return Home(path)


def trouble_with(path: str, user: int, mounts: str = MOUNTS) -> TrainctlError | None:
    """What speaks against keeping state in this folder, which may not exist yet."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return _trouble_with_mount(path, mounts)
    except OSError as error:
        return ConfigError(f"{path} cannot be used: {error.strerror}", hint=_ELSEWHERE)
    if not stat.S_ISDIR(found.st_mode):
        return ConfigError(f"{path} is not a folder", hint=_ELSEWHERE)
    return (
        _trouble_with_access(path, found, user)
        or _trouble_with_mount(path, mounts)
        or _trouble_with_writing(path)
    )


def _trouble_with_access(path: str, found: os.stat_result, user: int) -> TrainctlError | None:
    if found.st_uid != user:
        return RefusedError(
            f"{path} belongs to {_name_of(found.st_uid)}, not to {_name_of(user)}",
            hint=_ELSEWHERE,
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IRWXO):
        who = "be written by others" if mode & 0o022 else "be read by everybody"
        return RefusedError(
            f"{path} can {who} (mode {mode:04o}); it holds logs, code and secrets of runs",
            hint=f"chmod 700 {_quoted(path)}",
        )
    return None


def _trouble_with_writing(path: str) -> TrainctlError | None:
    if os.access(path, os.W_OK | os.X_OK):
        return None
    return ConfigError(
        f"{path} cannot be written",
        hint=f"chmod 700 {_quoted(path)}; on a read-only disk {_ELSEWHERE}",
    )


def _trouble_with_mount(path: str, mounts: str) -> TrainctlError | None:
    try:
        with open(mounts, errors="surrogateescape") as file:
            kind = file_system(os.path.realpath(path), file.read())
    except OSError:
        return None
    if not is_network(kind):
        return None
    return RefusedError(
        f"{path} is on a network file system ({kind}), where locks and the index do not hold",
        hint=_ELSEWHERE,
    )


def file_system(path: str, mountinfo: str) -> str:
    """The type of the file system under a real path, "" when the list does not tell.

    Source: proc_pid_mountinfo(5); of two mounts on one place the later one counts.
    """
    best, kind = "", ""
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        if len(point) >= len(best) and (path + "/").startswith(point.rstrip("/") + "/"):
            best, kind = point, source.partition(" ")[0]
    return kind


def is_network(kind: str) -> bool:
    base, _, fuse = kind.partition(".")
    return base in _NETWORK.split() or fuse in _NETWORK_FUSE.split()


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _make(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}", hint=_ELSEWHERE) from error


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)


def _name_of(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
