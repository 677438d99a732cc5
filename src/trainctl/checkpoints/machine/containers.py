"""What makes tuples, lists, dictionaries and sets, and fills them."""

from __future__ import annotations

from trainctl.checkpoints.machine.state import BreaksOffError, Machine, put
from trainctl.checkpoints.pickled import Call, Global, Value, kind

_SET, _FROZENSET = Global("builtins", "set"), Global("builtins", "frozenset")


def empty_tuple(machine: Machine, at: int) -> int:
    machine.stack.append(())
    return at


def tuple_(machine: Machine, at: int) -> int:
    items = machine.stack
    machine.stack = machine.below.pop()
    machine.stack.append(tuple(items))
    return at


def tuple1(machine: Machine, at: int) -> int:
    machine.stack[-1] = (machine.stack[-1],)
    return at


def tuple2(machine: Machine, at: int) -> int:
    second = machine.stack.pop()
    machine.stack[-1] = (machine.stack[-1], second)
    return at


def tuple3(machine: Machine, at: int) -> int:
    third = machine.stack.pop()
    second = machine.stack.pop()
    machine.stack[-1] = (machine.stack[-1], second, third)
    return at


def empty_list(machine: Machine, at: int) -> int:
    machine.stack.append([])
    return at


def list_(machine: Machine, at: int) -> int:
    items = machine.take()
    machine.stack.append(items)
    return at


def append(machine: Machine, at: int) -> int:
    value = machine.stack.pop()
    extend(machine.stack[-1], [value])
    return at


def appends(machine: Machine, at: int) -> int:
    items = machine.take()
    extend(machine.stack[-1], items)
    return at


def extend(target: Value, items: list[Value]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Call) and not isinstance(target.items, dict):
        target.items = target.items or []
        target.items.extend(items)
    else:
        raise BreaksOffError(f"it appends to {kind(target)}")


def empty_dict(machine: Machine, at: int) -> int:
    machine.stack.append({})
    return at


def dict_(machine: Machine, at: int) -> int:
    items = machine.take()
    made: dict[Value, Value] = {}
    machine.stack.append(made)
    set_all(made, items)
    return at


def setitem(machine: Machine, at: int) -> int:
    value = machine.stack.pop()
    key = machine.stack.pop()
    set_all(machine.stack[-1], [key, value])
    return at


def setitems(machine: Machine, at: int) -> int:
    items = machine.take()
    set_all(machine.stack[-1], items)
    return at


def set_all(target: Value, items: list[Value]) -> None:
    if len(items) % 2:
        raise BreaksOffError("a key has no value")
    if isinstance(target, Call) and not isinstance(target.items, list):
        target.items = {} if target.items is None else target.items
        target = target.items
    if not isinstance(target, dict):
        raise BreaksOffError(f"it sets items of {kind(target)}")
    put(target, items[::2], items[1::2])


def empty_set(machine: Machine, at: int) -> int:
    machine.stack.append(Call(_SET, ()))
    return at


def frozenset_(machine: Machine, at: int) -> int:
    items = machine.take()
    machine.stack.append(Call(_FROZENSET, (items,)))
    return at
