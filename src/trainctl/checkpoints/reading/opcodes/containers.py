"""What makes tuples, lists, dictionaries and sets, and fills them."""

from __future__ import annotations

from trainctl.checkpoints.reading.opcodes.reader import BreaksOffError, Reader, put
from trainctl.checkpoints.reading.pickled import Call, Global, Value, kind

_TENSORS = ("torch._utils", "torch._tensor")
_SET, _FROZENSET = Global("builtins", "set"), Global("builtins", "frozenset")


def empty_tuple(reader: Reader, at: int) -> int:
    reader.stack.append(())
    return at


def tuple_(reader: Reader, at: int) -> int:
    items = reader.stack
    reader.stack = reader.below.pop()
    reader.stack.append(tuple(items))
    return at


def tuple1(reader: Reader, at: int) -> int:
    reader.stack[-1] = (reader.stack[-1],)
    return at


def tuple2(reader: Reader, at: int) -> int:
    second = reader.stack.pop()
    reader.stack[-1] = (reader.stack[-1], second)
    return at


def tuple3(reader: Reader, at: int) -> int:
    third = reader.stack.pop()
    second = reader.stack.pop()
    reader.stack[-1] = (reader.stack[-1], second, third)
    return at


def empty_list(reader: Reader, at: int) -> int:
    reader.stack.append([])
    return at


def list_(reader: Reader, at: int) -> int:
    items = reader.take()
    reader.stack.append(items)
    return at


def append(reader: Reader, at: int) -> int:
    value = reader.stack.pop()
    extend(reader, [value])
    return at


def appends(reader: Reader, at: int) -> int:
    items = reader.take()
    extend(reader, items)
    return at


def extend(reader: Reader, items: list[Value]) -> None:
    target = reader.stack[-1]
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Call) and not _is_tensor(target):
        target.items = [] if target.items is None else target.items
        if isinstance(target.items, list):
            target.items.extend(items)
    else:
        reader.refuse(f"appends to {kind(target)}")


def empty_dict(reader: Reader, at: int) -> int:
    reader.stack.append({})
    return at


def dict_(reader: Reader, at: int) -> int:
    items = reader.take()
    reader.stack.append({})
    set_all(reader, items)
    return at


def setitem(reader: Reader, at: int) -> int:
    value = reader.stack.pop()
    key = reader.stack.pop()
    set_all(reader, [key, value])
    return at


def setitems(reader: Reader, at: int) -> int:
    items = reader.take()
    set_all(reader, items)
    return at


def set_all(reader: Reader, items: list[Value]) -> None:
    if len(items) % 2:
        raise BreaksOffError("a key has no value")
    target = reader.stack[-1]
    if isinstance(target, dict):
        put(target, items[::2], items[1::2])
    elif isinstance(target, Call) and not _is_tensor(target):
        target.items = {} if target.items is None else target.items
        if isinstance(target.items, dict):
            put(target.items, items[::2], items[1::2])
    else:
        reader.refuse(f"sets items of {kind(target)}")


def empty_set(reader: Reader, at: int) -> int:
    reader.stack.append(Call(_SET, ()))
    return at


def frozenset_(reader: Reader, at: int) -> int:
    items = reader.take()
    reader.stack.append(Call(_FROZENSET, (items,)))
    return at


def _is_tensor(call: Call) -> bool:
    """Before torch 2.10 it writes out of bounds when items are set on one (CVE-2026-24747)."""
    return isinstance(call.function, Global) and call.function.module in _TENSORS
