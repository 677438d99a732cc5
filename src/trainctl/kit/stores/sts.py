"""Credentials of a role, from the Security Token Service. Source: AWS STS API reference."""

from __future__ import annotations

import time
from typing import List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import urlencode

from trainctl.kit.stores.connections import host_of
from trainctl.kit.stores.machine import moment
from trainctl.kit.stores.place import DEFAULT_REGION, domain
from trainctl.kit.stores.protocol import DeniedError
from trainctl.kit.stores.retries import PassingError, Patience, again
from trainctl.kit.stores.signing import Credentials, Request, Scope, payload_hash, signed
from trainctl.kit.stores.wire import BrokenError, UntrustedError, Wire
from trainctl.kit.stores.xml import MalformedError, error_in, parse, text

_PATIENCE = Patience(tries=4, seconds=20)
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Role(NamedTuple):
    """seconds: how long its credentials shall be valid; 0 leaves it to the service."""

    arn: str
    session: str = ""
    external_id: str = ""
    seconds: int = 0

    def fields(self, action: str) -> List[Tuple[str, str]]:
        session = self.session or f"trainctl-{int(time.time())}"
        found = [("Action", action), ("Version", "2011-06-15"), ("RoleArn", self.arn)]
        found.append(("RoleSessionName", session))
        if self.external_id:
            found.append(("ExternalId", self.external_id))
        if self.seconds:
            found.append(("DurationSeconds", str(self.seconds)))
        return found


def assume(role: Role, by: Credentials, environ: Mapping[str, str], region: str) -> Credentials:
    """The role's credentials, for who has those of `by`. Raises DeniedError, UnreachableError."""
    return _asked("AssumeRole", role.fields("AssumeRole"), by, environ, region)


def of_web_identity(
    environ: Mapping[str, str], region: str, role: Optional[Role] = None, path: str = ""
) -> Optional[Credentials]:
    """Of the role that a token in a file stands for; None where no such file is named."""
    path = path or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    arn, session = environ.get("AWS_ROLE_ARN", ""), environ.get("AWS_ROLE_SESSION_NAME", "")
    role = role or Role(arn, session)
    if not (path and role.arn):
        return None
    try:
        with open(path) as file:
            token = file.read().strip()
    except (OSError, ValueError) as error:
        raise DeniedError(f"the token of {role.arn}: {error}") from error
    action = "AssumeRoleWithWebIdentity"
    fields = [*role.fields(action), ("WebIdentityToken", token)]
    return _asked(action, fields, None, environ, region)


def _asked(
    action: str,
    fields: List[Tuple[str, str]],
    by: Optional[Credentials],
    environ: Mapping[str, str],
    region: str,
) -> Credentials:
    region = region or DEFAULT_REGION
    named = environ.get("AWS_ENDPOINT_URL_STS") or environ.get("AWS_ENDPOINT_URL")
    wire = Wire(host_of(named or f"https://sts.{region}.{domain(region)}"), environ)
    body = urlencode(fields).encode()
    headers = {"host": wire.host.header, "content-type": _FORM}
    if by is not None:
        request = Request("POST", "/", (), headers, payload_hash(body))
        headers = signed(request, by, Scope(region, "sts"), time.time())
    headers["content-length"] = str(len(body))
    what = f"{wire.host.name}: {action}"
    try:
        data = again(_PATIENCE, what, lambda _: _answer(wire, headers, body, what))
    finally:
        wire.close()
    return _read(data, action, what)


def _answer(wire: Wire, headers: Mapping[str, str], body: bytes, what: str) -> bytes:
    try:
        with wire.ask("POST", "/", headers, body) as answer:
            data = answer.read()
    except BrokenError as error:
        raise PassingError(str(error)) from error
    except UntrustedError as error:
        raise DeniedError(f"{what}: {error}") from error
    if answer.status >= 500 or answer.status == 429:
        raise PassingError(f"status {answer.status}")
    if answer.status != 200:
        said = error_in(data)
        why = f"{said.code}: {said.message[:300]}" if said else f"status {answer.status}"
        raise DeniedError(f"{what}: {why}", hint="aws sts get-caller-identity")
    return data


def _read(data: bytes, action: str, what: str) -> Credentials:
    try:
        found = parse(data, f"{action}Response").find(f"{action}Result/Credentials")
        if found is None:
            raise MalformedError("it names no credentials")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        access, secret, token = (text(found, name) for name in names)
        return Credentials(access, secret, token, moment(text(found, "Expiration")))
    except ValueError as error:
        raise DeniedError(f"{what}: {error}") from error
