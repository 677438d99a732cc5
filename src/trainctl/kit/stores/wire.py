"""HTTP to one host: connections are kept, bodies are read by whoever wants them."""

from __future__ import annotations

import errno
import http.client
import threading
from typing import List, Mapping, Optional, Tuple, Union

from trainctl.kit.stores import connections
from trainctl.kit.stores.connections import Host
from trainctl.kit.stores.leaving import Piece

ANSWER_SECONDS = 60.0
_LOCAL = (errno.EIO, errno.ESTALE)  # a disk failed that a body was read from, no network
LONGEST_TEXT = 256 << 20  # of an answer that is read whole

Body = Union[bytes, Piece]


class BrokenError(Exception):
    """The connection failed, or what came over it is no HTTP; asking again may help."""


class UntrustedError(Exception):
    """The host's certificate is not to be trusted: nothing was sent."""


class Wire:
    """Connections to one host; threads may share it.

    environ: tells proxy and certificates. seconds: that an answer may keep silent.
    """

    def __init__(
        self, host: Host, environ: Mapping[str, str], seconds: float = ANSWER_SECONDS
    ) -> None:
        self.host = host
        self._environ = environ
        self._seconds = seconds
        self._idle: List[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send a request and wait for the head of its answer.

        Raises BrokenError, UntrustedError, and whatever giving out the body raises.
        """
        while True:
            connection, is_fresh = self._take()
            try:
                return Answer(
                    self, connection, _exchange(connection, method, target, headers, body)
                )
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if isinstance(error, OSError) and error.errno in _LOCAL:
                    raise
                _raise_untrusted(error, self.host)
                if is_fresh:  # an idle one may have been closed long ago, and tells it only now
                    raise BrokenError(_said(error)) from error
            except BaseException:
                connection.close()
                raise

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Let the next request have it."""
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Whoever is done with a store need not say so."""
        self.close()

    def _take(self) -> Tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        return connections.fresh(self.host, self._environ, self._seconds), True


class Answer:
    """An answer whose body is still to be read; to be closed in any case."""

    def __init__(
        self,
        wire: Wire,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
    ) -> None:
        self.status = response.status
        self._wire = wire
        self._connection = connection
        self._response = response

    def __enter__(self) -> Answer:  # noqa: PYI034 - Self is younger than Python 3.8
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the connection where the body was read to its end."""
        if self._response.length == 0 or self._response.isclosed():
            self._response.read()
            if not self._response.will_close:
                self._wire.keep(self._connection)
                return
        self._response.close()
        self._connection.close()

    def header(self, name: str) -> str:
        """Empty where there is none."""
        return self._response.headers.get(name, "")

    @property
    def headers(self) -> http.client.HTTPMessage:
        return self._response.headers

    @property
    def length(self) -> Optional[int]:
        """Of what is left of the body, where the host told it."""
        return self._response.length

    def read(self) -> bytes:
        """The whole body. Raises BrokenError where it is cut off, or too long for any answer."""
        try:
            data = self._response.read(LONGEST_TEXT)
        except (OSError, http.client.HTTPException) as error:
            raise BrokenError(_said(error)) from error
        if self._response.length:
            raise BrokenError("the answer was cut off")
        if not self._response.isclosed() and self._response.read(1):
            raise BrokenError("the answer is too long")
        return data

    def readinto(self, view: memoryview) -> int:
        """The next bytes; 0 at the end, also where that comes too early."""
        try:
            return self._response.readinto(view)
        except (OSError, http.client.HTTPException) as error:
            raise BrokenError(_said(error)) from error


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: Body,
) -> http.client.HTTPResponse:
    connection.request(method, target, body if isinstance(body, bytes) else b"", dict(headers))
    try:
        if not isinstance(body, bytes):
            body.send_to(connection.sock)
    except (BrokenPipeError, ConnectionResetError):
        # A host that refuses a body may say why, and hang up without having read it.
        response = connection.getresponse()
        response.will_close = True
        return response
    return connection.getresponse()


def _raise_untrusted(error: Exception, host: Host) -> None:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or error.reason
        raise UntrustedError(f"the certificate of {host.name} is not trusted: {why}") from error


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it hung up without an answer"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"its answer is no HTTP ({type(error).__name__})"
