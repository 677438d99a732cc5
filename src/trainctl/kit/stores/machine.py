"""Credentials that the environment, a container's host or the machine itself hands out.

Sources: AWS SDKs reference, "Container credential provider" and "IMDS credential provider".
The machine is never asked through a proxy, and not for long.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, cast
from urllib.parse import urlsplit

from trainctl.kit.stores.connections import host_of
from trainctl.kit.stores.protocol import DeniedError
from trainctl.kit.stores.signing import Credentials
from trainctl.kit.stores.wire import BrokenError, UntrustedError, Wire

_CONTAINER = "http://169.254.170.2"
_INSTANCE = "http://169.254.169.254"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_NEAR = ("localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23")
_SECONDS = 2.0


def of_environment(environ: Mapping[str, str]) -> Optional[Credentials]:
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not access or not secret:
        return None
    return Credentials(access, secret, environ.get("AWS_SESSION_TOKEN", ""))


def of_container(environ: Mapping[str, str]) -> Optional[Credentials]:
    """None where this is no such container. Raises DeniedError where its host refuses."""
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    full = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not (relative or full):
        return None
    url = _CONTAINER + relative if relative else str(full)
    try:
        host = host_of(url)
    except ValueError as error:
        raise DeniedError(f"AWS_CONTAINER_CREDENTIALS_FULL_URI: {error}") from None
    if not (host.is_tls or host.name in _NEAR):
        raise DeniedError(
            f"AWS_CONTAINER_CREDENTIALS_FULL_URI: {host.name} is asked by HTTPS only"
        )
    headers = {"host": host.header, "accept": "application/json"}
    token = _container_token(environ)
    if token:
        headers["authorization"] = token
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        found = _get(Wire(host, environ, _SECONDS), "GET", path, headers)
    except (BrokenError, UntrustedError) as error:
        raise DeniedError(f"{host.name}, which hands out credentials here: {error}") from error
    return decoded(found, f"what {host.name} hands out")


def _container_token(environ: Mapping[str, str]) -> str:
    path = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if not path:
        return environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        raise DeniedError(f"{path}: {error}") from error


def of_instance(environ: Mapping[str, str]) -> Optional[Credentials]:
    """Of an EC2 instance's role, by IMDSv2. None where this is no instance, or it has no role."""
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    host = host_of(environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE)
    wire = Wire(host, {}, _SECONDS)
    wanted = {"host": host.header, "x-aws-ec2-metadata-token-ttl-seconds": "21600"}
    try:
        token = _get(wire, "PUT", "/latest/api/token", {**wanted, "content-length": "0"})
        headers = {
            "host": host.header,
            "x-aws-ec2-metadata-token": token.decode("latin-1").strip(),
        }
        role = _get(wire, "GET", _ROLES, headers).decode("latin-1").split("\n")[0].strip()
        return decoded(_get(wire, "GET", _ROLES + role, headers), f"role {role}") if role else None
    except (BrokenError, UntrustedError):
        return None
    finally:
        wire.close()


def _get(wire: Wire, method: str, target: str, headers: Mapping[str, str]) -> bytes:
    with wire.ask(method, target, headers, b"") as answer:
        data = answer.read()
        if answer.status != 200:
            raise BrokenError(f"it answered with status {answer.status}")
        return data


def decoded(data: bytes, what: str) -> Credentials:
    """From the JSON that containers, instances and credential processes tell them in.

    Raises DeniedError.
    """
    try:
        value = cast("Dict[str, Any]", json.loads(data))
        access, secret = value["AccessKeyId"], value["SecretAccessKey"]
        token = value.get("Token") or value.get("SessionToken") or ""
        expires = value.get("Expiration")
        return Credentials(
            str(access), str(secret), str(token), moment(expires) if expires else None
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DeniedError(f"{what} are no credentials") from None


def moment(text: str) -> float:
    """Seconds since 1970 of `2026-11-23T12:00:00Z`. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
