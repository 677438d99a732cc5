"""What every store can do. Keys are relative, `/`-separated, without `.` or `..` parts."""

from __future__ import annotations

from typing import Callable, Iterator, List, NamedTuple, Optional, Protocol, Sequence

Progress = Callable[[int], None]  # told of bytes as they are moved; may raise to give up


def unmoved(count: int) -> None:
    """A progress that nobody watches."""


class StoreError(Exception):
    """It failed, and asking again will not help. The message names store, key and what it said.

    hint: what to type, where that is known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UnreachableError(StoreError):
    """The network or the service failed although it was asked again, with pauses, in vain."""


class DeniedError(StoreError):
    """The credentials are missing, expired or not enough."""


class AbsentError(StoreError):
    """There is no such key or bucket."""


class ExistsError(StoreError):
    """A put that was to create found the key taken."""


class CorruptError(StoreError):
    """What arrived is not what was sent, by size or checksum; nothing of it is kept."""


class UnsupportedError(StoreError):
    """This kind of store cannot do it, such as a conditional put."""


class Item(NamedTuple):
    """etag: changes whenever the content does; opaque. modified: seconds since 1970."""

    key: str
    size: int
    modified: float
    etag: str
    crc32: Optional[int] = None  # of the whole content, where the store tells it


class Blocks(NamedTuple):
    """What is known of a file as it lies there: the CRC-32 of each so many bytes of it."""

    bytes: int
    sums: Sequence[int]


NONE = Blocks(0, ())


class Store(Protocol):
    @property
    def url(self) -> str:
        """As messages and `--json` name it; never holds a secret."""
        ...

    def head(self, key: str) -> Optional[Item]:
        """None where there is no such key."""
        ...

    def list(self, prefix: str = "", *, folders: bool = False) -> Iterator[Item]:
        """Every key that begins so, in order.

        folders: one level only; what lies deeper is one Item whose key ends in `/`.
        """
        ...

    def read(self, key: str, start: int = 0, length: Optional[int] = None) -> bytes:
        """So many bytes from there; fewer only at the end. Raises AbsentError."""
        ...

    def write(self, key: str, data: bytes, *, if_absent: bool = False, if_match: str = "") -> str:
        """Put a small object and return its etag.

        Raises ExistsError with `if_absent` and the key taken, or `if_match` and another etag.
        """
        ...

    def upload(
        self,
        path: str,
        key: str,
        *,
        crc32: Optional[int] = None,
        blocks: Blocks = NONE,
        progress: Progress = ...,
    ) -> Item:
        """Send a file of any size with checksums, in parts that are resumed after a failure.

        crc32: what the content must have, so that a file that changed meanwhile is not sent.
        blocks: what it is made of, so that the file need not be read only to be summed: the store
        is told these and holds what arrives against them.
        Raises CorruptError, with nothing stored under the key, when it has not, or the store
        holds something else afterwards.
        """
        ...

    def download(
        self,
        key: str,
        path: str,
        *,
        crc32: Optional[int] = None,
        sha256: Optional[str] = None,
        progress: Progress = ...,
    ) -> None:
        """Fetch beside `path`, resumed where an earlier try got to, check, then rename.

        Raises CorruptError, with nothing at `path`, when checksum or size differ.
        """
        ...

    def copy(self, source: str, key: str) -> bool:
        """Copy within the store, without the bytes coming here; False where it cannot."""
        ...

    def sweep(self, prefix: str, before: float) -> int:
        """Drop what interrupted uploads of keys that begin so have left, begun before then.

        Returns how many there were. What lies under a key is never touched.
        """
        ...

    def delete(self, keys: List[str]) -> None:
        """Already gone is success."""
        ...
