from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainctl.control.home import file_system, is_network, open_home, trouble_with
from trainctl.errors import ConfigError, RefusedError

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:30 / /home rw - nfs4 server:/home rw
24 22 0:31 / /home/ada/local rw shared:1 master:2 - xfs /dev/vdb rw
25 22 0:32 / /mnt/my\040share rw - fuse.sshfs ada@host:/ rw
26 22 0:33 / /over rw - ext4 /dev/vdc rw
27 22 0:34 / /over rw - cifs //server/over rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x", "ext4"),
        ("/home/ada/.trainctl", "nfs4"),
        ("/home/ada/local/.trainctl", "xfs"),
        ("/home/ada/locality", "nfs4"),
        ("/homestead", "ext4"),
        ("/mnt/my share/x", "fuse.sshfs"),
        ("/over", "cifs"),
        ("/", "ext4"),
    ],
)
def test_a_path_is_on_the_nearest_and_latest_mount(path: str, kind: str):
    assert file_system(path, MOUNTS) == kind


def test_network_file_systems_are_told_from_local_ones():
    network = "nfs nfs4 cifs smb3 9p fuse.sshfs lustre beegfs fuse.s3fs ceph fuse.glusterfs"
    local = "ext4 xfs btrfs zfs tmpfs overlay apfs fuseblk fuse.mergerfs virtiofs"
    assert all(is_network(kind) for kind in network.split())
    assert not any(is_network(kind) for kind in [*local.split(), ""])


def test_a_new_home_is_private_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        home = open_home(f"{tmp_path}/deep/home")
    finally:
        os.umask(before)
    assert os.stat(home.path).st_mode & 0o777 == 0o700
    assert home.runs == f"{tmp_path}/deep/home/runs"
    assert open_home(home.path).path == home.path


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o710])
def test_what_only_its_owner_writes_is_accepted(tmp_path: Path, mode: int):
    tmp_path.chmod(mode)
    assert open_home(f"{tmp_path}").path == f"{tmp_path}"


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777, 0o702, 0o704, 0o720, 0o1777])
def test_a_home_open_to_others_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, mode: int
):
    home = tmp_path / "my home"
    home.mkdir()
    home.chmod(mode)
    with pytest.raises(RefusedError, match=f"mode {mode:04o}") as caught:
        open_home(f"{home}")
    assert caught.value.hint == f"chmod 700 '{home}'"


def test_somebody_elses_home_is_refused(tmp_path: Path):
    trouble = trouble_with(f"{tmp_path}", os.geteuid() + 4242)
    assert isinstance(trouble, RefusedError)
    assert "belongs to" in trouble.message
    assert "TRAINCTL_HOME" in (trouble.hint or "")


def test_a_home_on_a_network_file_system_is_refused_before_it_is_made(tmp_path: Path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - nfs4 server:/ rw\n")
    with pytest.raises(RefusedError, match=r"network file system \(nfs4\)"):
        open_home(f"{tmp_path}/home", f"{mounts}")
    assert not (tmp_path / "home").exists()


def test_without_a_list_of_mounts_the_home_is_taken(tmp_path: Path):
    assert open_home(f"{tmp_path}/home", f"{tmp_path}/none").path == f"{tmp_path}/home"


def test_a_file_in_the_place_of_the_home_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (f"{tmp_path}/file", f"{tmp_path}/file/home"):
        with pytest.raises(ConfigError, match=r"not a folder|Not a directory"):
            open_home(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root writes everywhere")
def test_an_unwritable_home_is_named(tmp_path: Path):
    (tmp_path / "home").mkdir(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        open_home(f"{tmp_path}/home")
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be made"):
        open_home(f"{tmp_path}/other")
    tmp_path.chmod(0o700)
