"""What a bucket may be told to do wrong, and a store in it that pauses for nothing."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.bucket import BUCKET, CREDENTIALS, Answer, Bucket, Seen
from trainctl.kit.stores.retries import Patience
from trainctl.kit.stores.s3 import S3Store, open_s3

Trouble = Callable[[Seen], Answer | None]


def store_in(bucket: Bucket, slept: list[float], **environ: str) -> S3Store:
    """slept: how long it would have paused. environ: besides the credentials."""
    url = f"s3://{BUCKET}/team"
    store = open_s3(url, {"endpoint": bucket.url}, {**CREDENTIALS, **environ})
    store.service.patience = Patience(tries=5, pause=slept.append, chance=lambda: 1.0)
    return store


def times(count: int, answer: Answer, when: Callable[[Seen], bool] = lambda _: True) -> Trouble:
    """So many requests of this kind are answered so; then all is well."""
    left = iter(range(count))

    def trouble(seen: Seen) -> Answer | None:
        return answer if when(seen) and next(left, None) is not None else None

    return trouble


def is_part(seen: Seen) -> bool:
    return seen.method == "PUT" and "partNumber" in seen.query


def is_complete(seen: Seen) -> bool:
    return seen.method == "POST" and "uploadId" in seen.query


def is_get(seen: Seen) -> bool:
    return seen.method == "GET" and bool(seen.key)


def is_list(seen: Seen) -> bool:
    return "list-type" in seen.query
