"""HTTPS: whoever cannot prove who it is gets nothing, not even the request."""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Generator
from pathlib import Path

import pytest

from tests import need
from tests.fakes.bucket import Bucket
from tests.fakes.troubles import store_in
from trainctl.kit.stores.protocol import StoreError

pytestmark = need.tool("openssl")
MIB = 1 << 20


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    """Of this machine, signed by itself, with its key."""
    path = str(tmp_path / "both.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", path, "-out", path]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:TRUE"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.returncode == 0
    if "CERTIFICATE" not in Path(path).read_text() or "PRIVATE" not in Path(path).read_text():
        pytest.skip("not run: this openssl does not write both into one file")
    return path


@pytest.fixture
def bucket(certificate: str) -> Generator[Bucket]:
    with Bucket(certificate=certificate) as made:
        yield made


def test_a_certificate_that_nobody_vouches_for_is_refused(bucket: Bucket) -> None:
    with pytest.raises(StoreError, match="not trusted") as caught:
        store_in(bucket, []).write("k", b"x")
    assert "AWS_CA_BUNDLE" in caught.value.hint
    assert bucket.seen == []


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_files_of_any_size_go_there_and_back(
    bucket: Bucket, certificate: str, tmp_path: Path, variable: str
) -> None:
    store = store_in(bucket, [], **{variable: certificate})
    for size in (0, 1000, 9 * MIB):
        data = os.urandom(size)
        (tmp_path / "file").write_bytes(data)
        store.upload(str(tmp_path / "file"), "k", crc32=zlib.crc32(data))
        store.download("k", str(tmp_path / "back"), crc32=zlib.crc32(data))
        assert (tmp_path / "back").read_bytes() == data


def test_a_name_that_is_another_s_is_refused(bucket: Bucket, certificate: str) -> None:
    bucket.url = bucket.url.replace("127.0.0.1", "localhost")
    with pytest.raises(StoreError, match="not trusted"):
        store_in(bucket, [], AWS_CA_BUNDLE=certificate).write("k", b"x")
