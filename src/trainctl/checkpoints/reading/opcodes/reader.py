"""The state of a symbolic reader of pickles, and what its operations share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.pickled import Call, Global, Key, Long, Persistent, Value

LONG_BYTES = 1 << 20  # of a text or bytes: a longer one is not kept
NAME_BYTES = 1_000  # of a module's name, and of what stands in it
_ODD_NUMBER = 1 << 60  # beyond it, integers can be chosen to share one hash
_KEY_PARTS = 16

Operation: TypeAlias = "Callable[[Reader, int], int]"  # from the byte after it to the next one


class BreaksOffError(Exception):
    """No loader gets any further. at: the byte where the operation stands that fails."""

    def __init__(self, why: str, at: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class EndedError(Exception):
    """The stream stops. at: the byte after it."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Reader:
    """stack: what stands above the innermost mark; below: the stacks under each mark."""

    __slots__ = ("below", "calls", "data", "findings", "globals", "memo", "stack", "strange")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.calls: list[Call] = []
        self.strange = Findings()
        self.findings = Findings()

    def refuse(self, what: str) -> None:
        """Note what most loaders fail at; what would follow in others is still read."""
        self.findings.append(f"its pickle {what}, which cannot be")

    def take(self) -> list[Value]:
        """All above the innermost mark, which goes with it."""
        items = self.stack
        self.stack = self.below.pop()
        return items

    def name(self, module: str, name: str) -> Global:
        if len(module) + len(name) > NAME_BYTES:
            raise BreaksOffError(f"it imports a name of {len(module) + len(name)} characters")
        return self.globals.setdefault((module, name), Global(module, name))

    def call(self, function: Value, args: tuple[Value, ...]) -> None:
        """Note a call, and put what stands for its result onto the stack."""
        made = Call(function, args)
        self.calls.append(made)
        self.stack.append(made)

    def end_of(self, start: int, length: int) -> int:
        """Where something of this length ends. Raises BreaksOffError beyond the stream."""
        if not 0 <= length <= len(self.data) - start:
            raise BreaksOffError(f"it is cut off: {length} bytes should follow")
        return start + length

    def line(self, at: int) -> tuple[bytes, int]:
        """The text up to the end of the line, and the byte after it."""
        end = self.data.find(b"\n", at)
        if end < 0:
            raise BreaksOffError("it is cut off: a line does not end")
        if end - at > LONG_BYTES:
            raise BreaksOffError(f"a line has {end - at} bytes")
        return self.data[at:end], end + 1


def text(data: bytes) -> str:
    """Text as UTF-8; bytes that are none stay visible, and can be printed."""
    return data.decode("utf-8", "backslashreplace")


_PLAIN = frozenset((str, int, float, bool, bytes, type(None), Global, Call, Persistent, Key, Long))
_SIMPLE = _PLAIN - {int}


def put(target: dict[Value, Value], keys: list[Value], values: list[Value]) -> None:
    """Put items into a dictionary, at a cost that no choice of keys can raise."""
    if not _SIMPLE.issuperset(map(type, keys)):
        keys = [key if _is_cheap(key) else Key(key) for key in keys]
    target.update(zip(keys, values, strict=True))


def _is_cheap(key: Value) -> bool:
    """Whether hashing it recurses nowhere, fails never and collides with few."""
    if isinstance(key, tuple):
        return len(key) <= _KEY_PARTS and _PLAIN.issuperset(map(type, key))
    if isinstance(key, int):
        return -_ODD_NUMBER < key < _ODD_NUMBER
    return type(key) in _PLAIN
