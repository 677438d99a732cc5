"""A prefix of an S3 bucket as a store; any service that speaks S3's language."""

from __future__ import annotations

from typing import Iterator, List, Mapping, Optional

from trainctl.kit.stores import (
    checksums,
    copying,
    credentials,
    deleting,
    fetching,
    listing,
    multipart,
    profiles,
    sending,
)
from trainctl.kit.stores.keyring import Keyring
from trainctl.kit.stores.keys import check
from trainctl.kit.stores.place import place_of
from trainctl.kit.stores.protocol import (
    NONE,
    AbsentError,
    Blocks,
    ExistsError,
    Item,
    Progress,
    unmoved,
)
from trainctl.kit.stores.retries import Patience, again
from trainctl.kit.stores.service import Ask, Service

CONNECTIONS = 6


class S3Store:
    """Keys are relative to the prefix. connections: that one large file is moved over."""

    def __init__(self, service: Service, prefix: str = "", connections: int = CONNECTIONS) -> None:
        self.service = service
        self.connections = connections
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.url = f"{service.url}/{self._prefix}".rstrip("/")

    def head(self, key: str) -> Optional[Item]:
        ask = Ask("HEAD", self._full(key), headers={"x-amz-checksum-mode": "ENABLED"})
        try:
            told = self.service.tell(ask)
        except AbsentError:
            return None
        return listing.item_of(key, told.headers)

    def list(self, prefix: str = "", *, folders: bool = False) -> Iterator[Item]:
        for item in listing.items(self.service, self._prefix + prefix, folders=folders):
            yield item._replace(key=item.key[len(self._prefix) :])

    def read(self, key: str, start: int = 0, length: Optional[int] = None) -> bytes:
        return fetching.read(self.service, self._full(key), start, length)

    def write(self, key: str, data: bytes, *, if_absent: bool = False, if_match: str = "") -> str:
        headers = checksums.headers_of(data)
        if if_absent:
            headers["if-none-match"] = "*"
        if if_match:
            headers["if-match"] = if_match
        ask = Ask("PUT", self._full(key), headers=headers, body=data)

        def work(number: int) -> str:
            try:
                return self.service.whole(ask).headers.get("etag", "")
            except ExistsError:
                there = self.head(key) if number else None
                if there is None or self.read(key) != data:
                    raise
                return there.etag  # an earlier try had succeeded, only its answer was lost
            except AbsentError as error:
                if if_match:
                    raise ExistsError(f"{self.url}/{key}: it is gone") from error
                raise

        return again(self.service.patience, f"{self.url}/{key}", work)

    def upload(
        self,
        path: str,
        key: str,
        *,
        crc32: Optional[int] = None,
        blocks: Blocks = NONE,
        progress: Progress = unmoved,
    ) -> Item:
        sender = sending.Sender(self.service, self._full(key), progress, self.connections)
        return sender.send(path, crc32, blocks)._replace(key=key)

    def download(
        self,
        key: str,
        path: str,
        *,
        crc32: Optional[int] = None,
        sha256: Optional[str] = None,
        progress: Progress = unmoved,
    ) -> None:
        if crc32 is None and sha256 is None:
            seen = self.head(key)
            crc32 = seen.crc32 if seen is not None else None
        wanted = fetching.Wanted(self._full(key), path, crc32, sha256)
        fetching.download(self.service, wanted, progress, self.connections)

    def copy(self, source: str, key: str) -> bool:
        return copying.copy(self.service, self._full(source), self._full(key))

    def delete(self, keys: List[str]) -> None:
        deleting.delete(self.service, [self._full(key) for key in keys])

    def sweep(self, prefix: str, before: float) -> int:
        count = 0
        for upload in multipart.unfinished(self.service, self._prefix + prefix):
            if upload.begun < before:
                upload.abort()
                count += 1
        return count

    def _full(self, key: str) -> str:
        return check(self._prefix + key)


def open_s3(url: str, options: Mapping[str, str], environ: Mapping[str, str]) -> S3Store:
    """The store that an `s3://` URL names. Raises ValueError for one that names none.

    options: `endpoint`, `region`, `profile`, `connections`, which come before what environment
    and profile say.
    """
    rest = url[len("s3://") :]
    bucket, _, prefix = rest.partition("/")
    if "?" in bucket or "@" in bucket:
        raise ValueError(f"{url!r} is no URL of a bucket: write s3://BUCKET/PREFIX")
    name = options.get("profile", "")
    profile = profiles.read(environ, name or environ.get("AWS_PROFILE") or "default") or {}
    region = (
        options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    )
    region = region or profile.get("region", "")
    endpoint = options.get("endpoint") or _endpoint(environ, profile)
    place = place_of(bucket, region, endpoint, _addressing(profile))
    keyring = Keyring(lambda: credentials.find(environ, name, region))
    if profile.get("ca_bundle"):
        environ = {"AWS_CA_BUNDLE": profile["ca_bundle"], **environ}
    service = Service(place, keyring, environ, Patience())
    return S3Store(service, prefix, int(options.get("connections") or CONNECTIONS))


def _endpoint(environ: Mapping[str, str], profile: Mapping[str, str]) -> str:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return ""
    named = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    return named or profile.get("endpoint_url", "")


def _addressing(profile: Mapping[str, str]) -> str:
    """`virtual` or `path`, from the lines that are indented below `s3 =`."""
    for line in profile.get("s3", "").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "addressing_style":
            return value.strip()
    return ""
