"""What names, calls and changes things: here it is only written down."""

from __future__ import annotations

from trainctl.checkpoints.machine.state import BreaksOffError, Machine, text
from trainctl.checkpoints.pickled import Call, Global, Persistent, kind


def global_(machine: Machine, at: int) -> int:
    module, at = machine.line(at)
    name, at = machine.line(at)
    machine.stack.append(machine.name(text(module), text(name)))
    return at


def stack_global(machine: Machine, at: int) -> int:
    name = machine.stack.pop()
    module = machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise BreaksOffError("it imports by what is not a name")
    machine.stack.append(machine.name(module, name))
    return at


def reduce(machine: Machine, at: int) -> int:
    args = machine.stack.pop()
    function = machine.stack.pop()
    if not isinstance(args, tuple):
        raise BreaksOffError(f"it calls with {kind(args)} for arguments")
    machine.call(function, args)
    return at


newobj = reduce  # what differs is only which method of a class would run


def newobj_ex(machine: Machine, at: int) -> int:
    keywords = machine.stack.pop()
    args = machine.stack.pop()
    machine.call(machine.stack.pop(), (args, keywords))
    return at


def inst(machine: Machine, at: int) -> int:
    at = global_(machine, at)
    function = machine.stack.pop()
    args = tuple(machine.take())
    machine.call(function, args)
    return at


def obj(machine: Machine, at: int) -> int:
    function, *args = machine.take()
    machine.call(function, tuple(args))
    return at


def build(machine: Machine, at: int) -> int:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, Call):
        target.state = state
    elif isinstance(target, (Global, Persistent)):
        machine.strange.append(f"changes {kind(target)} itself")
    else:
        raise BreaksOffError(f"it gives a state to {kind(target)}")
    return at


def persid(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    machine.stack.append(Persistent(text(line)))
    return after


def binpersid(machine: Machine, at: int) -> int:
    machine.stack[-1] = Persistent(machine.stack[-1])
    return at


def ext1(machine: Machine, at: int) -> int:
    return _extension(machine, at, 1)


def ext2(machine: Machine, at: int) -> int:
    return _extension(machine, at, 2)


def ext4(machine: Machine, at: int) -> int:
    return _extension(machine, at, 4)


def _extension(machine: Machine, at: int, length: int) -> int:
    after = machine.end_of(at, length)
    code = int.from_bytes(machine.data[at:after], "little")
    machine.findings.append(
        f"its pickle needs the extension of code {code}, which is nowhere written"
    )
    machine.stack.append(machine.name("copyreg", f"extension {code}"))
    return after


def next_buffer(machine: Machine, at: int) -> int:
    machine.findings.append("its pickle needs a buffer from outside of it")
    machine.stack.append(Persistent(None))
    return at


def readonly_buffer(machine: Machine, at: int) -> int:
    machine.findings.append("its pickle needs a buffer from outside of it")
    machine.stack[-1] = Persistent(machine.stack[-1])
    return at
