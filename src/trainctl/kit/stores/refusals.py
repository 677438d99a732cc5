"""What a service's refusal means: ask again, mend the request, or which error to raise."""

from __future__ import annotations

from typing import NamedTuple, Type

from trainctl.kit.stores.protocol import (
    AbsentError,
    CorruptError,
    DeniedError,
    ExistsError,
    StoreError,
    UnsupportedError,
)
from trainctl.kit.stores.xml import Said

_PASSING_STATUS = frozenset((408, 429, 500, 502, 503, 504))
_PASSING_CODES = frozenset(
    (
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    )
)
_EXPIRED = frozenset(
    ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired")
)
_ELSEWHERE = frozenset(
    (
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
        "InvalidRegion",
        "PermanentRedirect",
        "TemporaryRedirect",
    )
)
_CORRUPT = frozenset(
    ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch")
)
_BY_STATUS = {
    401: DeniedError,
    403: DeniedError,
    404: AbsentError,
    412: ExistsError,
    501: UnsupportedError,
}
_LONGEST = 300  # characters of a message that is not ours


class Refusal(NamedTuple):
    """An answer that is no success. said: what its body tells; a HEAD has none."""

    status: int
    said: Said
    region: str = ""  # that the bucket is in, where the service tells it
    date: str = ""  # by the service's clock
    after: float = 0  # seconds that it asks us to wait

    @property
    def is_passing(self) -> bool:
        """Whether the same may succeed in a moment."""
        if self.said.code in _PASSING_CODES:
            return True
        return self.status in _PASSING_STATUS

    @property
    def is_expired(self) -> bool:
        return self.said.code in _EXPIRED

    @property
    def is_skewed(self) -> bool:
        return self.said.code in {"RequestTimeTooSkewed", "RequestInTheFuture"}

    @property
    def is_elsewhere(self) -> bool:
        """Whether another region was meant."""
        return self.status in {301, 302, 307} or self.said.code in _ELSEWHERE

    @property
    def told(self) -> str:
        """For messages: code, and what the service says about it."""
        code = self.said.code or f"status {self.status}"
        text = "".join(one if one.isprintable() else " " for one in self.said.message[:_LONGEST])
        return f"{code}: {text}" if text else code


def error_of(refusal: Refusal, what: str) -> StoreError:
    """What to raise. what: store and key."""
    message = f"{what}: {refusal.told}"
    if refusal.is_expired:
        return DeniedError(
            f"{message}; new ones were asked for, and those are expired too",
            hint="sign in again, such as: aws sso login",
        )
    if refusal.is_elsewhere:
        return StoreError(
            message, hint="name the bucket's region: AWS_REGION=..., or store_region"
        )
    return _kind(refusal)(message, _hint(refusal))


def _kind(refusal: Refusal) -> Type[StoreError]:
    code = refusal.said.code
    if code in _CORRUPT:
        return CorruptError
    if code == "NotImplemented":
        return UnsupportedError
    if code in {"NoSuchBucket", "NoSuchKey", "NoSuchUpload"}:
        return AbsentError
    if code in {"InvalidToken", "InvalidAccessKeyId", "InvalidClientTokenId", "AccessDenied"}:
        return DeniedError
    return _BY_STATUS.get(refusal.status, StoreError)


def _hint(refusal: Refusal) -> str:
    code = refusal.said.code
    if code == "SignatureDoesNotMatch":
        return "the secret key, or the clock, is wrong: check AWS_SECRET_ACCESS_KEY and date"
    if code in {"InvalidAccessKeyId", "InvalidToken", "InvalidClientTokenId"}:
        return "the service does not know this key: check AWS_ACCESS_KEY_ID, or name a profile"
    if code == "NoSuchBucket":
        return "create the bucket first, or check its name and the endpoint"
    if refusal.status == 403:
        return "may these credentials do that? see them: aws sts get-caller-identity"
    return ""
