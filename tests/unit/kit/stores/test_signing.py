"""Signatures are those that botocore makes, for any key, query, header and token."""

from __future__ import annotations

import calendar
import time

from hypothesis import given
from hypothesis import strategies as st

from tests import need
from trainctl.kit.stores.signing import (
    UNSIGNED,
    Credentials,
    Request,
    Scope,
    payload_hash,
    query_text,
    quoted_path,
    signed,
)

pytestmark = need.module("botocore")
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
names = st.from_regex(r"x-amz-[a-z][a-z0-9-]{0,10}[a-z]", fullmatch=True)
own = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
odd_keys = st.one_of(
    text,
    st.sampled_from(
        ["a b/c+d", "ä/日本", "~a*b'(c)!", "a%20b", "a//b", "?&=#", "a/./b", "a:b@c,d;e"]
    ),
)


@given(
    key=odd_keys,
    query=st.dictionaries(text.filter(bool), text, max_size=3),
    extra=st.dictionaries(names.filter(lambda name: name not in own), plain, max_size=3),
    body=st.one_of(st.none(), st.binary(max_size=20)),
    token=st.one_of(st.just(""), visible),
    secret=visible,
    service=st.sampled_from(["s3", "sts"]),
    method=st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"]),
    now=st.integers(1_000_000_000, 2_500_000_000),
)
def test_signatures_are_botocores(
    *,
    key: str,
    query: dict[str, str],
    extra: dict[str, str],
    body: bytes | None,
    token: str,
    secret: str,
    service: str,
    method: str,
    now: int,
) -> None:
    path = "/" if service == "sts" else "/bucket/" + quoted_path(key)
    payload = UNSIGNED if body is None else payload_hash(body)
    headers = {"host": "store.example:9000", **extra}
    pairs = tuple(query.items())
    credentials = Credentials("AKIDEXAMPLE", secret, token)
    request = Request(method, path, pairs, headers, payload)
    ours = signed(request, credentials, Scope("eu-west-3", service), float(now))
    assert ours["authorization"] == botocores(request, credentials, service, now)
    assert ours["x-amz-content-sha256"] == payload
    assert ours.get("x-amz-security-token", "") == token


def botocores(request: Request, credentials: Credentials, service: str, now: int) -> str:
    """What botocore's own signer makes of the same request at the same moment."""
    from botocore import auth, awsrequest
    from botocore import credentials as theirs

    keys = theirs.Credentials(credentials.access, credentials.secret, credentials.token or None)
    signer = (auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth)(keys, service, "eu-west-3")
    query = query_text(request.query)
    url = f"http://store.example:9000{request.path}" + (f"?{query}" if query else "")
    asked = awsrequest.AWSRequest(request.method, url, headers=dict(request.headers))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    assert calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) == now
    asked.context["timestamp"] = stamp
    asked.headers["X-Amz-Date"] = stamp
    asked.headers["X-Amz-Content-SHA256"] = request.payload
    if credentials.token:
        asked.headers["X-Amz-Security-Token"] = credentials.token
    canonical = signer.canonical_request(asked)
    signature = signer.signature(signer.string_to_sign(asked, canonical), asked)
    names = signer.signed_headers(signer.headers_to_sign(asked))
    scope = signer.scope(asked)
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"


def test_an_example_of_the_documentation_is_signed_as_there() -> None:
    """Source: Amazon S3 API reference, "Signature Calculations for the Authorization Header"."""
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    request = Request("GET", "/test.txt", (), headers, payload_hash(b""))
    when = calendar.timegm((2013, 5, 24, 0, 0, 0))
    found = signed(request, credentials, Scope("us-east-1", "s3"), when)["authorization"]
    assert found.endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
