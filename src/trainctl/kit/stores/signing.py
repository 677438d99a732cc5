"""AWS Signature Version 4, in the header; pure.

Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import Dict, Iterable, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"  # a checksum header, which is signed, stands for the body
_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """expires: seconds since 1970; None where they stay valid. Never print one."""

    access: str
    secret: str
    token: str = ""
    expires: Optional[float] = None


class Scope(NamedTuple):
    region: str
    service: str


class Request(NamedTuple):
    """What goes over the wire. path: quoted, as it is sent. headers: names in lower case."""

    method: str
    path: str
    query: Tuple[Tuple[str, str], ...]
    headers: Mapping[str, str]
    payload: str  # the SHA-256 of the body in hex, or UNSIGNED


def quoted_path(path: str) -> str:
    """A key as it stands in a URL; slashes stay."""
    return quote(path, safe="/~")


def query_text(query: Iterable[Tuple[str, str]]) -> str:
    """The query as it is sent and signed: quoted, then sorted."""
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def payload_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def signed(request: Request, credentials: Credentials, scope: Scope, now: float) -> Dict[str, str]:
    """The request's headers, with those that authorize it. now: seconds since 1970."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": request.payload}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    within = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    canonical = _canonical(request, headers, names)
    text = f"{_ALGORITHM}\n{stamp}\n{within}\n{hashlib.sha256(canonical).hexdigest()}"
    key = _key(credentials.secret, stamp[:8], scope.region, scope.service)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access}/{within}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _canonical(request: Request, headers: Mapping[str, str], names: str) -> bytes:
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
    query = query_text(request.query)
    text = f"{request.method}\n{request.path}\n{query}\n{lines}\n{names}\n{request.payload}"
    return text.encode()


@lru_cache(maxsize=8)  # good for a day
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
