"""Where a bucket is: which host to ask, and whether it stands in its name or in the path."""

from __future__ import annotations

import re
from typing import NamedTuple

from trainctl.kit.stores.connections import Host, host_of
from trainctl.kit.stores.signing import quoted_path

_DNS_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")  # a dot would not fit the certificate
DEFAULT_REGION = "us-east-1"


class Place(NamedTuple):
    """endpoint: of what is not AWS, else empty. virtual: the bucket stands before the host."""

    bucket: str
    region: str
    endpoint: str = ""
    virtual: bool = True

    @property
    def host(self) -> Host:
        """Raises ValueError for an endpoint that is no URL."""
        found = host_of(self.endpoint or f"https://s3.{self.region}.{domain(self.region)}")
        return found._replace(name=f"{self.bucket}.{found.name}") if self.virtual else found

    def path(self, key: str) -> str:
        """As it is signed and sent."""
        return quoted_path("/" + key if self.virtual else f"/{self.bucket}/{key}".rstrip("/"))


def place_of(bucket: str, region: str, endpoint: str, addressing: str = "") -> Place:
    """addressing: `virtual`, `path`, or empty for what each usually understands.

    Raises ValueError for a bucket that can be none.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", bucket) or ".." in bucket:
        raise ValueError(f"{bucket!r} is no name of a bucket")
    fits = _DNS_NAME.fullmatch(bucket) is not None
    virtual = fits and (addressing == "virtual" or not (endpoint or addressing == "path"))
    place = Place(bucket, region or DEFAULT_REGION, endpoint.rstrip("/"), virtual)
    host_of(endpoint or "https://aws")
    return place


def domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
