"""What a pickled object holds, by dotted paths: its tensors, and its plain values.

Nothing recurses, a container is opened once however often it is shared, and paths and visits have
an end, so that no pickle can make this long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from trainctl.checkpoints.formats.protocol import Scalar, Tensor
from trainctl.checkpoints.reading import values
from trainctl.checkpoints.reading.parts import part_of, whole_part
from trainctl.checkpoints.reading.pickled import Call, Global, Value, mapping

SCALARS = 2_000
VISITS = 1_500_000
_PATH = 500  # characters
_TEXT = 200  # characters of a plain value
_FEW = 16  # plain values in a row that are worth showing
_LEAVES = frozenset((str, int, float, bool, bytes, type(None)))

Maker: TypeAlias = Callable[[Call, str, str], "Tensor | None"]
_Items: TypeAlias = Iterator[tuple[Value, Value]]


class Walk:
    """tensors: in the order of the pickle. scalars: the first so many plain values."""

    def __init__(self, make: Maker) -> None:
        self.tensors: list[Tensor] = []
        self.scalars: dict[str, Scalar] = {}
        self._make = make
        self._opened: set[int] = set()
        self._left = VISITS

    def over(self, root: Value) -> None:
        whole = whole_part(mapping(root))
        top = self._open("", whole, root)
        for key, value in top or ():
            name = key if type(key) is str else values.key_text(key)
            part = whole or part_of(name)
            items = self._open(name, part, value)
            if items is not None:
                self._down(name, part, items)

    def _down(self, name: str, part: str, items: _Items) -> None:
        waiting = [(name + ".", items)]
        while waiting:
            prefix, items = waiting[-1]
            for key, value in items:
                self._left -= 1
                if self._left < 0:
                    return
                name = prefix + (key if type(key) is str else values.key_text(key))
                below = self._open(name, part, value)
                if below is not None:
                    waiting.append((name + ".", below))
                    break
            else:
                waiting.pop()

    def _open(self, name: str, part: str, value: Value) -> _Items | None:
        """What stands in it, where it is a container; a tensor or a plain value is noted."""
        if type(value) is Call:
            tensor = self._make(value, name, part)
            if tensor is None:
                return self._open_call(name, value)
            self.tensors.append(tensor)
            return None
        if isinstance(value, (dict, list, tuple)):
            return self._open_items(name, value)
        self._note(name, value)
        return None

    def _open_call(self, name: str, call: Call) -> _Items | None:
        plain = values.plain(call)
        if plain is not call:
            self._note(name, plain)
            return None
        if self._is_done(name, call):
            return None
        return values.contents(call)

    def _open_items(
        self, name: str, value: dict[Value, Value] | list[Value] | tuple[Value, ...]
    ) -> _Items | None:
        if isinstance(value, dict):
            return None if self._is_done(name, value) else iter(value.items())
        if _LEAVES.issuperset(map(type, value)):
            return enumerate(value) if len(value) <= _FEW else None
        return None if self._is_done(name, value) else enumerate(value)

    def _is_done(self, name: str, value: Value) -> bool:
        """Whether it was opened before, or lies too deep; notes that it was."""
        if len(name) > _PATH or id(value) in self._opened:
            return True
        self._opened.add(id(value))
        return False

    def _note(self, name: str, value: Value) -> None:
        if isinstance(value, Global):
            value = str(value)
        if isinstance(value, str):
            value = value[:_TEXT]
        if len(self.scalars) < SCALARS and isinstance(value, (str, int, float, type(None))):
            self.scalars[name] = value
