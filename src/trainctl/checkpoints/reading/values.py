"""What the usual calls of a pickle mean: numpy's numbers, paths, enums, modules, plain objects."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain

from trainctl.checkpoints.reading.pickled import Call, Global, Value, mapping

_KEY = 100  # characters
_MODULE = ("_parameters", "_buffers", "_modules")  # all that a torch.nn.Module holds
_LEAVES = (str, int, float, bool, type(None))
_NUMBERS = {
    "f8": "d",
    "f4": "f",
    "f2": "e",
    "i8": "q",
    "i4": "i",
    "i2": "h",
    "i1": "b",
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
    "b1": "?",
}  # numpy's codes, and those of struct


def key_text(key: Value) -> str:
    """A dictionary's key as a part of a path."""
    if isinstance(key, str):
        return key[:_KEY]
    if isinstance(key, (int, float, Global, type(None))):
        return str(key)
    return f"<{type(key).__name__.lower()}>"


def plain(call: Call) -> Value:
    """The plain value that a call makes or wraps; the call itself where it makes none."""
    if call.items is not None or not isinstance(call.function, Global):
        return call
    name = call.function.name
    if name == "scalar" and call.function.module.endswith("multiarray"):
        return _number(call)
    if name.endswith("Path") and all(isinstance(part, str) for part in call.args):
        return "/".join(str(part) for part in call.args)
    if call.state is None and len(call.args) == 1 and isinstance(call.args[0], _LEAVES):
        return call.args[0]
    return call


def _number(call: Call) -> Value:
    """`scalar(dtype("f8"), bytes)`; protocol 2 writes the bytes as text."""
    dtype, data = call.args if len(call.args) == 2 else (None, None)
    if isinstance(data, Call) and data.args:
        data = data.args[0]
    if isinstance(data, str):
        data = data.encode("latin-1", "replace")
    code = dtype.args[0] if isinstance(dtype, Call) and dtype.args else None
    order = dtype.state[1] if isinstance(dtype, Call) and isinstance(dtype.state, tuple) else "<"
    kind = _NUMBERS.get(code) if isinstance(code, str) else None
    if kind is None or not isinstance(data, bytes):
        return call
    whole = ">" + kind if order == ">" else "<" + kind
    value: Value = struct.unpack(whole, data)[0] if struct.calcsize(whole) == len(data) else call
    return value


def contents(call: Call) -> Iterator[tuple[Value, Value]]:
    """What an object would hold: its items, its attributes, else what it was called with."""
    items = mapping(call)
    if items is not None:
        return iter(items.items())
    state = call.state
    slots = state[1] if isinstance(state, tuple) and len(state) == 2 else None
    attributes = state[0] if isinstance(state, tuple) and state else state
    parts = [part for part in (attributes, slots) if isinstance(part, dict)]
    if parts and isinstance(parts[0].get("_parameters", 0), (dict, Call)):
        return _of_module(parts[0])
    rest: Iterator[tuple[Value, Value]] = iter(())
    if isinstance(call.items, dict):
        rest = iter(call.items.items())
    elif call.items is not None or not parts:
        rest = enumerate(chain(call.args, call.items or ()))
    return chain(*(part.items() for part in parts), rest)


def _of_module(state: dict[Value, Value]) -> Iterator[tuple[Value, Value]]:
    held = (mapping(state.get(name)) for name in _MODULE)
    return chain(*(items.items() for items in held if items))
