"""One bucket's service: requests are signed, sent, asked again, and refusals understood."""

from __future__ import annotations

import re
import threading
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPMessage
from typing import (
    TYPE_CHECKING,
    Mapping,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from trainctl.kit.stores.keyring import Keyring
from trainctl.kit.stores.place import Place
from trainctl.kit.stores.protocol import StoreError
from trainctl.kit.stores.refusals import Refusal, error_of
from trainctl.kit.stores.retries import PassingError, Patience, again
from trainctl.kit.stores.signing import (
    UNSIGNED,
    Credentials,
    Request,
    Scope,
    payload_hash,
    query_text,
    signed,
)
from trainctl.kit.stores.wire import Answer, Body, BrokenError, UntrustedError, Wire
from trainctl.kit.stores.xml import MalformedError, Said, error_in, parse

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Query = Sequence[Tuple[str, str]]
_LONGEST_WAIT = 60.0  # seconds, whatever a service asks for
_TRIES, _FIRST_TRIES = 1000, 4  # a host that never answered may be a mistyped one


class Ask(NamedTuple):
    """A request before it is signed. ok: the statuses that are success.

    body: bytes, whose hash is signed too, or a file's, for which a checksum header should stand.
    """

    method: str
    key: str = ""
    query: Query = ()
    headers: Mapping[str, str] = {}  # nobody changes it
    body: Body = b""
    ok: Tuple[int, ...] = (200,)


class Told(NamedTuple):
    """An answer that was read whole."""

    status: int
    headers: HTTPMessage
    body: bytes


class Service:
    """Threads may share it.

    environ: tells proxy and certificates.
    """

    def __init__(
        self, place: Place, keyring: Keyring, environ: Mapping[str, str], patience: Patience
    ) -> None:
        self.place = place
        self.patience = patience
        self._keyring = keyring
        self._environ = environ
        self._wire = Wire(place.host, environ)
        self._skew = 0.0
        self._is_reached = False
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"s3://{self.place.bucket}"

    def tell(self, ask: Ask) -> Told:
        """Ask until it is answered, and read the whole answer. Raises StoreError."""
        return again(self.patience, self.what(ask.key), lambda _: self.whole(ask))

    def whole(self, ask: Ask) -> Told:
        """As `once`, with the body read."""
        with self.once(ask) as answer:
            return Told(answer.status, answer.headers, _read(answer))

    def tell_xml(self, ask: Ask, root: str) -> Element:
        """The answer's root element, which has this name.

        What answers 200 and then tells an error, or breaks off, has not succeeded.
        """

        def work(_: int) -> Element:
            told = self.whole(ask)
            try:
                return parse(told.body, root)
            except MalformedError as error:
                said = error_in(told.body)
                if said is None:
                    raise PassingError(str(error)) from error
                self._refuse(ask, Refusal(500 if not said.code else told.status, said))

        return again(self.patience, self.what(ask.key), work)

    def once(self, ask: Ask) -> Answer:
        """The answer to one request, if it is a success; its body is still to be read.

        Credentials that expired, a clock that is wrong and a bucket in another region are mended,
        each once. Raises PassingError where it may work in a moment, else StoreError.
        """
        mended: Set[str] = set()
        while True:
            credentials = self._keyring.credentials()
            answer = self._send(ask, credentials)
            if answer.status in ask.ok:
                return answer
            with answer:
                refusal = self._understood(ask, answer, credentials)
            mend = self._mend(refusal, credentials)
            if mend is None or mend in mended:
                self._refuse(ask, refusal)
            mended.add(mend)

    def what(self, key: str) -> str:
        """For messages: where it happened."""
        return f"{self.url}/{key}" if key else self.url

    def _refuse(self, ask: Ask, refusal: Refusal) -> NoReturn:
        if refusal.is_passing:
            raise PassingError(refusal.told, min(refusal.after, _LONGEST_WAIT))
        raise error_of(refusal, self.what(ask.key))

    def _send(self, ask: Ask, credentials: Credentials) -> Answer:
        place, wire = self.place, self._wire
        headers = {"host": wire.host.header, **ask.headers}
        path = place.path(ask.key)
        payload = payload_hash(ask.body) if isinstance(ask.body, bytes) else UNSIGNED
        request = Request(ask.method, path, tuple(ask.query), headers, payload)
        scope = Scope(place.region, "s3")
        lines = signed(request, credentials, scope, time.time() + self._skew)
        if ask.method in {"PUT", "POST"}:
            lines["content-length"] = str(
                len(ask.body) if isinstance(ask.body, bytes) else ask.body.length
            )
        query = query_text(ask.query)
        try:
            answer = wire.ask(ask.method, f"{path}?{query}" if query else path, lines, ask.body)
        except BrokenError as error:
            what = f"{wire.host.header}: {error}"
            raise PassingError(what, tries=_TRIES if self._is_reached else _FIRST_TRIES) from error
        except UntrustedError as error:
            raise StoreError(
                f"{self.url}: {error}", "AWS_CA_BUNDLE=/path/to/its/authority.pem"
            ) from error
        self._is_reached = True
        return answer

    def _understood(self, ask: Ask, answer: Answer, credentials: Credentials) -> Refusal:
        refusal = _refusal(answer, credentials)
        if ask.method != "HEAD" or answer.status == 404:
            return refusal
        why = ask._replace(method="GET", headers={"range": "bytes=0-0"})  # which may say why
        with self._send(why, credentials) as fuller:
            return _refusal(fuller, credentials) if fuller.status >= 300 else refusal

    def _mend(self, refusal: Refusal, used: Credentials) -> Optional[str]:
        """What was mended, so that asking again is worth it; None: nothing."""
        if refusal.is_expired:
            return "credentials" if self._keyring.renew(used) else None
        if refusal.is_skewed and refusal.date:
            try:
                self._skew = parsedate_to_datetime(refusal.date).timestamp() - time.time()
            except (TypeError, ValueError, OverflowError):
                return None
            return "clock"
        if refusal.is_elsewhere and refusal.region not in {"", self.place.region}:
            with self._lock:
                self.place = self.place._replace(region=refusal.region)
                self._wire = Wire(self.place.host, self._environ)
            return "region"
        return None


def _refusal(answer: Answer, credentials: Credentials) -> Refusal:
    said = error_in(_read(answer)) or Said()
    message = said.message
    for secret in (credentials.secret, credentials.token):
        message = message.replace(secret, "***") if secret else message
    message = re.sub(r"Signature=\w+", "Signature=***", message)
    after = answer.header("retry-after")
    return Refusal(
        answer.status,
        said._replace(message=message),
        answer.header("x-amz-bucket-region") or said.region,
        answer.header("date"),
        float(after[:9]) if after.isascii() and after.isdigit() else 0,
    )


def _read(answer: Answer) -> bytes:
    try:
        return answer.read()
    except BrokenError as error:
        raise PassingError(str(error)) from error
