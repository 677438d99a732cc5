"""Where credentials come from: the environment, profiles, a container's host, the machine itself.

The order is that of the AWS SDKs. A profile that is named explicitly is the only one asked.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Sequence

from trainctl.kit.stores import machine, profiles, sts
from trainctl.kit.stores.protocol import DeniedError
from trainctl.kit.stores.signing import Credentials

Source = Callable[[], Optional[Credentials]]


def find(environ: Mapping[str, str], profile: str = "", region: str = "") -> Credentials:
    """Fresh credentials. Raises DeniedError where there are none, or a source of them fails."""
    named = profile or ""
    sources: Sequence[Source] = (
        lambda: None if named else machine.of_environment(environ),
        lambda: None if named else sts.of_web_identity(environ, region),
        lambda: profiles.credentials(environ, named or environ.get("AWS_PROFILE", ""), region),
        lambda: None if named else machine.of_container(environ),
        lambda: None if named else machine.of_instance(environ),
    )
    for source in sources:
        found = source()
        if found is not None:
            return found
    if named:
        raise DeniedError(
            f"profile {named} holds no credentials", hint=f"aws configure --profile {named}"
        )
    raise DeniedError(
        "no credentials for S3 were found: not in AWS_ACCESS_KEY_ID, not in a profile, not on "
        "this machine",
        hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure",
    )
