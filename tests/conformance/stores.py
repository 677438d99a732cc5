"""The stores under the conformance suite, each empty."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import bucket, weed
from trainctl.kit.stores.opening import open_store
from trainctl.kit.stores.protocol import Store

_prefixes = (f"run {number}" for number in itertools.count())  # a space, which must be quoted


@contextmanager
def folder(path: Path) -> Iterator[Store]:
    yield open_store(str(path / "store"), {}, {})


@contextmanager
def simulated(path: Path) -> Iterator[Store]:
    with bucket.Bucket() as service:
        yield at(service)


QUICK = {"folder": folder, "simulated": simulated}


def at(service: bucket.Bucket, prefix: str = "team", **options: str) -> Store:
    """A store in such a bucket."""
    url = f"s3://{bucket.BUCKET}/{prefix}"
    return open_store(url, {"endpoint": service.url, **options}, bucket.CREDENTIALS)


def seaweed(endpoint: str) -> Store:
    url = f"s3://{weed.BUCKET}/{next(_prefixes)}"
    return open_store(url, {"endpoint": endpoint}, weed.CREDENTIALS)
