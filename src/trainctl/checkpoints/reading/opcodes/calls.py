"""What names, calls and changes things: here it is only written down."""

from __future__ import annotations

from trainctl.checkpoints.reading.opcodes.reader import BreaksOffError, Reader, text
from trainctl.checkpoints.reading.pickled import Call, Global, Persistent, kind


def global_(reader: Reader, at: int) -> int:
    module, at = reader.line(at)
    name, at = reader.line(at)
    reader.stack.append(reader.name(text(module), text(name)))
    return at


def stack_global(reader: Reader, at: int) -> int:
    name = reader.stack.pop()
    module = reader.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise BreaksOffError("it imports by what is not a name")
    reader.stack.append(reader.name(module, name))
    return at


def reduce(reader: Reader, at: int) -> int:
    args = reader.stack.pop()
    function = reader.stack.pop()
    if not isinstance(args, tuple):
        reader.refuse(f"calls with {kind(args)} for arguments")
        args = (args,)
    made = Call(function, args)
    reader.calls.append(made)
    reader.stack.append(made)
    return at


newobj = reduce  # what differs is only which method of a class would run


def newobj_ex(reader: Reader, at: int) -> int:
    keywords = reader.stack.pop()
    args = reader.stack.pop()
    reader.call(reader.stack.pop(), (args, keywords))
    return at


def inst(reader: Reader, at: int) -> int:
    at = global_(reader, at)
    function = reader.stack.pop()
    args = tuple(reader.take())
    reader.call(function, args)
    return at


def obj(reader: Reader, at: int) -> int:
    items = reader.take()
    reader.call(items[0], tuple(items[1:]))
    return at


def build(reader: Reader, at: int) -> int:
    state = reader.stack.pop()
    target = reader.stack[-1]
    if isinstance(target, Call):
        target.state = state
    elif isinstance(target, (Global, Persistent)):
        reader.strange.append(f"changes {kind(target)} itself")
    else:
        reader.refuse(f"gives a state to {kind(target)}")
    return at


def persid(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    reader.stack.append(Persistent(text(line)))
    return after


def binpersid(reader: Reader, at: int) -> int:
    reader.stack[-1] = Persistent(reader.stack[-1])
    return at


def ext1(reader: Reader, at: int) -> int:
    return _extension(reader, at, 1)


def ext2(reader: Reader, at: int) -> int:
    return _extension(reader, at, 2)


def ext4(reader: Reader, at: int) -> int:
    return _extension(reader, at, 4)


def _extension(reader: Reader, at: int, length: int) -> int:
    after = reader.end_of(at, length)
    code = int.from_bytes(reader.data[at:after], "little")
    reader.findings.append(
        f"its pickle needs the extension of code {code}, which is nowhere written"
    )
    reader.stack.append(reader.name("copyreg", f"extension {code}"))
    return after


def next_buffer(reader: Reader, at: int) -> int:
    reader.findings.append("its pickle needs a buffer from outside of it")
    reader.stack.append(Persistent(None))
    return at


def readonly_buffer(reader: Reader, at: int) -> int:
    reader.findings.append("its pickle needs a buffer from outside of it")
    reader.stack[-1] = Persistent(reader.stack[-1])
    return at
