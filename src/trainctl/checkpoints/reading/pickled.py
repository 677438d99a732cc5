"""What a pickle describes, as inert values: nothing here imports, calls, or looks like it."""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = """(
    bool | int | float | str | bytes | list[Value] | tuple[Value, ...] | dict[Value, Value]
    | Global | Call | Persistent | Key | Long | None
)"""


class Global:
    """A name that loading would import; one object for each name of a pickle."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Call:
    """What loading would call, and with what.

    state: what it would be given by BUILD afterwards. items: what would be put or appended into
    it, as a dict or a list; both None where there is nothing. Sets are calls, too.
    """

    __slots__ = ("args", "function", "items", "state")

    def __init__(self, function: Value, args: tuple[Value, ...]) -> None:
        self.function = function
        self.args = args
        self.state: Value = None
        self.items: dict[Value, Value] | list[Value] | None = None


class Persistent:
    """What the pickle refers to outside of itself, such as a storage of torch's."""

    __slots__ = ("id",)

    def __init__(self, id: Value) -> None:
        self.id = id


class Key:
    """A dictionary's key that is not worth the danger of hashing it: nested, or unhashable."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Long:
    """A text or bytes too long to keep; where it lies in the stream."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


_MAPPINGS = frozenset(("OrderedDict", "defaultdict", "Counter"))


def mapping(value: Value) -> dict[Value, Value] | None:
    """The items of a dict, OrderedDict, defaultdict or Counter; None for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Call) or not is_from(value.function, "collections", _MAPPINGS):
        return None
    if isinstance(value.items, dict):
        return value.items
    first = value.args[0] if value.args else None
    return first if isinstance(first, dict) else {}


def is_from(value: Value, module: str, names: frozenset[str]) -> bool:
    return isinstance(value, Global) and value.module == module and value.name in names


def kind(value: Value) -> str:
    """What it is, for a sentence."""
    if isinstance(value, Global):
        return str(value)
    if isinstance(value, Call) and isinstance(value.function, Global):
        return f"what {value.function} made"
    return "a storage" if isinstance(value, Persistent) else f"a {type(value).__name__}"
