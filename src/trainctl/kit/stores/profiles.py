"""The profiles in `~/.aws/config` and `~/.aws/credentials`, and the credentials that they lead to.

Source: AWS SDKs reference, "Shared config and credentials files". Signing in by SSO needs a
browser, which the host of a run has not: what to type instead is said.
"""

from __future__ import annotations

import os
from typing import Dict, Mapping, Optional, Tuple

from trainctl.kit.stores import machine, sts
from trainctl.kit.stores.protocol import DeniedError
from trainctl.kit.stores.signing import Credentials

_BY_BROWSER = ("sso_session", "sso_start_url", "login_session")
_PROCESS_SECONDS = 60.0

Profile = Mapping[str, str]


def read(environ: Mapping[str, str], name: str) -> Optional[Profile]:
    """A profile of both files, the credentials file's word before the other's; None: no such.

    Raises DeniedError where a file is malformed or may not be read.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("AWS_CONFIG_FILE") or os.path.join(home, ".aws", "config")
    secrets = environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join(
        home, ".aws", "credentials"
    )
    sections = _sections(os.path.expanduser(config))
    in_config = sections.get("default" if name == "default" else f"profile {name}")
    if in_config is None and name == "default":
        in_config = sections.get("profile default")
    in_secrets = _sections(os.path.expanduser(secrets)).get(name)
    if in_config is None and in_secrets is None:
        return None
    return {**(in_config or {}), **(in_secrets or {})}


def _sections(path: str) -> Dict[str, Dict[str, str]]:
    if not os.path.exists(path):
        return {}
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(default_section="\0", strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except Error as error:
        line = getattr(error, "lineno", None) or "?"  # its own text would quote the line
        raise DeniedError(f"{path}, line {line}, is not as such a file should be") from None
    except (OSError, ValueError) as error:
        raise DeniedError(f"{path}: {error}") from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def credentials(environ: Mapping[str, str], name: str, region: str) -> Optional[Credentials]:
    """What a profile leads to; None where it says nothing of credentials. name: "" is the default.

    Raises DeniedError where a profile that was named is not there, or leads nowhere.
    """
    profile = read(environ, name or "default")
    if profile is None:
        if name:
            raise DeniedError(f"there is no profile {name}", hint="aws configure list-profiles")
        return None
    return _Walk(environ, region or profile.get("region", "")).follow(name or "default", profile)


class _Walk:
    """From a profile to those that it names as its source; never twice to the same."""

    def __init__(self, environ: Mapping[str, str], region: str) -> None:
        self._environ = environ
        self._region = region
        self._seen: Tuple[str, ...] = ()

    def follow(self, name: str, profile: Profile) -> Optional[Credentials]:
        if "role_arn" in profile and name not in self._seen:
            return self._role(name, profile)
        static = _static(profile)
        if static is not None:
            return static
        if "credential_process" in profile:
            return _of_process(name, profile["credential_process"], self._environ)
        if any(word in profile for word in _BY_BROWSER):
            raise DeniedError(
                f"profile {name} signs in by a browser (SSO), which trainctl does not do",
                hint=f'eval "$(aws configure export-credentials --profile {name} --format env)"',
            )
        return None

    def _role(self, name: str, profile: Profile) -> Optional[Credentials]:
        role = sts.Role(
            profile["role_arn"],
            profile.get("role_session_name", ""),
            profile.get("external_id", ""),
            _seconds(profile.get("duration_seconds", "")),
        )
        if "web_identity_token_file" in profile:
            path = os.path.expanduser(profile["web_identity_token_file"])
            return sts.of_web_identity(self._environ, self._region, role, path)
        if "mfa_serial" in profile:
            raise DeniedError(
                f"profile {name} needs a code from a device (MFA), which trainctl cannot ask for",
                hint=f'eval "$(aws configure export-credentials --profile {name} --format env)"',
            )
        return sts.assume(role, self._source(name, profile), self._environ, self._region)

    def _source(self, name: str, profile: Profile) -> Credentials:
        """Whose credentials may assume the role."""
        self._seen = (*self._seen, name)
        source = profile.get("source_profile")
        if source is None:
            found = self._machine(profile.get("credential_source", ""))
        elif source in self._seen and source != name:
            raise DeniedError(f"profile {name}: its sources lead in a circle")
        else:
            there = read(self._environ, source)
            found = None if there is None else self.follow(source, there)
        if found is None:
            told = source or profile.get("credential_source") or "nothing"
            raise DeniedError(f"profile {name}: no credentials come from its source, {told}")
        return found

    def _machine(self, source: str) -> Optional[Credentials]:
        if source == "Environment":
            return machine.of_environment(self._environ)
        if source == "EcsContainer":
            return machine.of_container(self._environ)
        return machine.of_instance(self._environ) if source == "Ec2InstanceMetadata" else None


def _seconds(text: str) -> int:
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def _static(profile: Profile) -> Optional[Credentials]:
    access, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if not access or not secret:
        return None
    return Credentials(access, secret, profile.get("aws_session_token", ""))


def _of_process(name: str, command: str, environ: Mapping[str, str]) -> Credentials:
    """What a program of the user's tells; it is run as it stands, without a shell."""
    import shlex
    import subprocess

    what = f"profile {name}: its credential_process"
    try:
        done = subprocess.run(
            shlex.split(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may say what must not be in a log
            timeout=_PROCESS_SECONDS,
            check=False,
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise DeniedError(f"{what} failed: {type(error).__name__}") from None
    if done.returncode != 0:
        raise DeniedError(f"{what} ended with status {done.returncode}: run it by hand to see why")
    return machine.decoded(done.stdout, f"{what}: what it tells")
