"""Where credentials come from, when they are renewed, and what is said where there are none."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.fakes.bucket import Answer, Bucket, Seen, error
from tests.fakes.troubles import store_in
from trainctl.kit.stores import credentials
from trainctl.kit.stores.keyring import Keyring
from trainctl.kit.stores.protocol import DeniedError, StoreError
from trainctl.kit.stores.signing import Credentials

LATER = "2099-01-01T00:00:00Z"
TOLD = {
    "AccessKeyId": "ASIATOLD",
    "SecretAccessKey": "told",
    "Token": "session",
    "Expiration": LATER,
}


@pytest.fixture
def service() -> Generator[Bucket]:
    with Bucket() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own, on no instance."""
    (tmp_path / ".aws").mkdir()
    return {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "PATH": "/usr/bin:/bin"}


def write(home: dict[str, str], name: str, text: str) -> None:
    Path(home["HOME"], ".aws", name).write_text(text)


def test_the_environment_comes_first(home: dict[str, str]) -> None:
    write(home, "credentials", "[default]\naws_access_key_id=f\naws_secret_access_key=s\n")
    given = {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "t"}
    assert credentials.find({**home, **given}) == Credentials("e", "x", "t")
    assert credentials.find(home) == Credentials("f", "s")


def test_a_profile_that_is_named_comes_before_the_environment(home: dict[str, str]) -> None:
    write(home, "credentials", "[team]\naws_access_key_id = f\naws_secret_access_key = s\n")
    given = {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": "x"}
    assert credentials.find({**home, **given}, "team") == Credentials("f", "s")
    assert credentials.find({**home, "AWS_PROFILE": "team"}) == Credentials("f", "s")


def test_a_profile_that_is_not_there_is_told(home: dict[str, str]) -> None:
    with pytest.raises(DeniedError, match="no profile team"):
        credentials.find(home, "team")


def test_nothing_anywhere_says_what_to_type(home: dict[str, str]) -> None:
    with pytest.raises(DeniedError, match="no credentials for S3 were found") as caught:
        credentials.find(home)
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


@pytest.mark.parametrize("text", ["[default\n", "nonsense\n", "[a]\n[a\n", "\xff\xfe"])
def test_a_malformed_file_is_named_without_what_it_holds(home: dict[str, str], text: str) -> None:
    Path(home["HOME"], ".aws", "credentials").write_bytes(text.encode("latin-1"))
    with pytest.raises(DeniedError, match=r"credentials") as caught:
        credentials.find(home)
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["sso_session = corp", "sso_start_url = https://x", "login_session=a"]
)
def test_signing_in_by_a_browser_is_not_done_and_what_to_type_is_said(
    home: dict[str, str], line: str
) -> None:
    write(home, "config", f"[profile dev]\n{line}\nregion = eu-west-1\n")
    with pytest.raises(DeniedError, match="SSO") as caught:
        credentials.find(home, "dev")
    assert "aws configure export-credentials --profile dev" in caught.value.hint


def test_a_process_is_asked_without_a_shell(home: dict[str, str], tmp_path: Path) -> None:
    told = {"Version": 1, "AccessKeyId": "p", "SecretAccessKey": "s", "Expiration": LATER}
    script = tmp_path / "tell.py"
    script.write_text(f"print({json.dumps(json.dumps(told))})")
    write(home, "config", f"[default]\ncredential_process = {sys.executable} '{script}'\n")
    found = credentials.find(home)
    assert (found.access, found.secret, found.token) == ("p", "s", "")
    assert found.expires == 4070908800.0


@pytest.mark.parametrize("command", ["false", "/no/such/program", "echo nonsense", "echo {}", "'"])
def test_a_process_that_fails_is_told(home: dict[str, str], command: str) -> None:
    write(home, "config", f"[default]\ncredential_process = {command}\n")
    with pytest.raises(DeniedError, match="profile default: its credential_process"):
        credentials.find(home)


def assumed(action: str) -> Answer:
    inner = "".join(
        f"<{name}>{TOLD[key]}</{name}>"
        for name, key in (
            ("AccessKeyId", "AccessKeyId"),
            ("SecretAccessKey", "SecretAccessKey"),
            ("SessionToken", "Token"),
            ("Expiration", "Expiration"),
        )
    )
    body = f"<Credentials>{inner}</Credentials>"
    return Answer(
        200,
        f"<{action}Response xmlns='https://sts.amazonaws.com/doc/2011-06-15/'>"
        f"<{action}Result>{body}</{action}Result></{action}Response>".encode(),
    )


def test_a_role_is_assumed_with_its_source(home: dict[str, str], service: Bucket) -> None:
    write(
        home,
        "config",
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n"
        "external_id = e\nrole_session_name = me\nduration_seconds = 900\n",
    )
    write(home, "credentials", "[base]\naws_access_key_id=b\naws_secret_access_key=s\n")
    service.trouble = lambda _: assumed("AssumeRole")
    found = credentials.find({**home, "AWS_ENDPOINT_URL_STS": service.url}, "role", "eu-west-1")
    assert found == Credentials("ASIATOLD", "told", "session", 4070908800.0)
    asked = service.seen[0]
    for part in (b"Action=AssumeRole&", b"ExternalId=e", b"DurationSeconds=900", b"role%2Fx"):
        assert part in asked.body
    assert "Credential=b/" in asked.headers["authorization"]
    assert "/eu-west-1/sts/aws4_request" in asked.headers["authorization"]


def test_a_role_that_is_refused_is_told(home: dict[str, str], service: Bucket) -> None:
    write(home, "config", "[profile role]\nrole_arn = r\ncredential_source = Environment\n")
    service.trouble = lambda _: error(403, "AccessDenied")
    given = {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": "x"}
    with pytest.raises(DeniedError, match="AssumeRole: AccessDenied: told so"):
        credentials.find({**home, **given, "AWS_ENDPOINT_URL_STS": service.url}, "role")


def test_sources_that_lead_in_a_circle_end(home: dict[str, str]) -> None:
    write(
        home,
        "config",
        "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n",
    )
    with pytest.raises(DeniedError, match="circle"):
        credentials.find(home, "a")


def test_a_role_that_needs_a_code_is_not_assumed(home: dict[str, str]) -> None:
    write(home, "config", "[profile a]\nrole_arn=r\nsource_profile=b\nmfa_serial=m\n")
    with pytest.raises(DeniedError, match="MFA"):
        credentials.find(home, "a")


def test_a_token_in_a_file_stands_for_a_role(
    home: dict[str, str], service: Bucket, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("JWT\n")
    service.trouble = lambda _: assumed("AssumeRoleWithWebIdentity")
    given = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod",
        "AWS_ENDPOINT_URL_STS": service.url,
    }
    assert credentials.find({**home, **given}).access == "ASIATOLD"
    assert b"WebIdentityToken=JWT" in service.seen[0].body
    assert "authorization" not in service.seen[0].headers


def test_a_container_hands_them_out(home: dict[str, str], service: Bucket, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer x")
    service.trouble = lambda _: Answer(200, json.dumps(TOLD).encode())
    given = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/creds?id=1",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert credentials.find({**home, **given}).secret == "told"
    asked = service.seen[0]
    assert (asked.key, asked.query) == ("creds", {"id": "1"})
    assert asked.headers["authorization"] == "Bearer x"


def test_a_container_s_host_elsewhere_is_not_asked_in_the_clear(home: dict[str, str]) -> None:
    given = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"}
    with pytest.raises(DeniedError, match="by HTTPS only"):
        credentials.find({**home, **given})


def instance(seen: Seen) -> Answer:
    """The metadata of an instance with a role, which wants a token."""
    if seen.method == "PUT" and seen.key == "latest/api/token":
        return Answer(200, b"TOKEN")
    if seen.headers.get("x-aws-ec2-metadata-token") != "TOKEN":
        return Answer(401)
    if seen.key == "latest/meta-data/iam/security-credentials/":
        return Answer(200, b"my-role")
    return Answer(200, json.dumps(TOLD).encode())


def test_an_instance_hands_them_out(home: dict[str, str], service: Bucket) -> None:
    service.trouble = instance
    del home["AWS_EC2_METADATA_DISABLED"]
    home["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url
    found = credentials.find(home)
    assert (found.access, found.expires) == ("ASIATOLD", 4070908800.0)
    assert service.seen[-1].key.endswith("security-credentials/my-role")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_machine_without_a_role_has_none(
    home: dict[str, str], service: Bucket, status: int
) -> None:
    service.trouble = lambda _: Answer(status)
    del home["AWS_EC2_METADATA_DISABLED"]
    home["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url
    with pytest.raises(DeniedError, match="no credentials"):
        credentials.find(home)


def counting(*found: Credentials | StoreError) -> Callable[[], Credentials]:
    left = iter(found)

    def fetch() -> Credentials:
        one = next(left)
        if isinstance(one, StoreError):
            raise one
        return one

    return fetch


def test_they_are_fetched_once_and_renewed_before_they_expire() -> None:
    now = [1000.0]
    first, second = Credentials("a", "s", "", 2000.0), Credentials("b", "s", "", 9000.0)
    ring = Keyring(counting(first, second), now=lambda: now[0])
    assert ring.credentials() == ring.credentials() == first
    now[0] = 1701.0
    assert ring.credentials() == second


def test_where_renewing_fails_the_old_ones_serve_until_they_expire() -> None:
    now = [1000.0]
    down = DeniedError("down")
    ring = Keyring(counting(Credentials("a", "s", "", 1200.0), down, down), now=lambda: now[0])
    assert ring.credentials() == ring.credentials()
    now[0] = 1201.0
    with pytest.raises(DeniedError, match="down"):
        ring.credentials()


def test_a_token_that_the_service_calls_expired_is_renewed_once(
    service: Bucket, home: dict[str, str]
) -> None:
    del home["AWS_EC2_METADATA_DISABLED"]
    given = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url}
    tokens = iter(f"session-{number}" for number in range(9))

    def trouble(seen: Seen) -> Answer | None:
        if seen.key.startswith("latest/"):
            told = instance(seen)
            if seen.key.endswith("my-role"):
                body = json.dumps({**TOLD, "Token": next(tokens)}).encode()
                return told._replace(body=body)
            return told
        if seen.headers["x-amz-security-token"] == "session-0":
            return Answer(400) if seen.method == "HEAD" else error(400, "ExpiredToken")
        return None

    service.trouble = trouble
    store = store_in(service, [], AWS_ACCESS_KEY_ID="", **given, HOME=home["HOME"])
    assert store.head("k") is None
    assert next(tokens) == "session-2"


def test_credentials_that_stay_expired_say_so_and_what_to_do(service: Bucket) -> None:
    service.trouble = lambda _: error(400, "ExpiredToken")
    with pytest.raises(DeniedError, match="expired") as caught:
        store_in(service, []).read("k")
    assert "sign in" in caught.value.hint
    assert len(service.seen) == 1


def test_a_clock_that_is_wrong_is_set_by_the_service_once(service: Bucket) -> None:
    stamps: list[str] = []

    def trouble(seen: Seen) -> Answer | None:
        stamps.append(seen.headers["x-amz-date"])
        if len(stamps) == 1:
            answer = error(403, "RequestTimeTooSkewed")
            return answer._replace(headers={"Date": "Fri, 01 Jan 2038 00:00:00 GMT"})
        return None

    service.trouble = trouble
    store = store_in(service, [])
    store.write("k", b"x")
    assert stamps[1].startswith("20380101T0000")
    assert not stamps[0].startswith("2038")
    service.trouble = lambda _: error(403, "RequestTimeTooSkewed")
    with pytest.raises(DeniedError, match="RequestTimeTooSkewed"):
        store.read("k")


@pytest.mark.parametrize(
    "answer",
    [
        error(301, "PermanentRedirect", x_amz_bucket_region="eu-north-1"),
        error(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"),
        Answer(301, headers={"x-amz-bucket-region": "eu-north-1"}),
    ],
)
def test_a_bucket_in_another_region_is_followed_there_once(
    service: Bucket, answer: Answer
) -> None:
    def trouble(seen: Seen) -> Answer | None:
        return None if "/eu-north-1/s3/" in seen.headers["authorization"] else answer

    service.trouble = trouble
    store = store_in(service, [])
    store.write("k", b"x")
    assert store.read("k") == b"x"
    assert len(service.seen) == 3
    service.trouble = lambda _: answer
    with pytest.raises(StoreError) as caught:
        store.read("k")
    assert "AWS_REGION" in caught.value.hint


def test_time_is_told_in_seconds_since_1970() -> None:
    from trainctl.kit.stores.machine import moment

    assert moment("1970-01-01T00:01:00Z") == 60.0
    assert moment("2026-11-23T12:00:00.123Z") < time.time() + 10**9
