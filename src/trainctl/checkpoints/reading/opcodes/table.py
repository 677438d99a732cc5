"""Which byte is which operation."""

from __future__ import annotations

from trainctl.checkpoints.reading.opcodes import calls, containers, control, literals, memo
from trainctl.checkpoints.reading.opcodes.reader import BreaksOffError, Operation, Reader

# Source: Lib/pickle.py, where each has its name and its protocol.
_OPERATIONS: dict[bytes, Operation] = {
    b"(": control.mark,
    b".": control.stop,
    b"0": control.pop,
    b"1": control.pop_mark,
    b"2": control.dup,
    b"F": literals.float_,
    b"I": literals.int_,
    b"J": literals.binint,
    b"K": literals.binint1,
    b"L": literals.long,
    b"M": literals.binint2,
    b"N": literals.none,
    b"P": calls.persid,
    b"Q": calls.binpersid,
    b"R": calls.reduce,
    b"S": literals.string,
    b"T": literals.binstring,
    b"U": literals.short_binunicode,
    b"V": literals.unicode,
    b"X": literals.binunicode,
    b"a": containers.append,
    b"b": calls.build,
    b"c": calls.global_,
    b"d": containers.dict_,
    b"}": containers.empty_dict,
    b"e": containers.appends,
    b"g": memo.get,
    b"h": memo.binget,
    b"i": calls.inst,
    b"j": memo.long_binget,
    b"l": containers.list_,
    b"]": containers.empty_list,
    b"o": calls.obj,
    b"p": memo.put,
    b"q": memo.binput,
    b"r": memo.long_binput,
    b"s": containers.setitem,
    b"t": containers.tuple_,
    b")": containers.empty_tuple,
    b"u": containers.setitems,
    b"G": literals.binfloat,
    b"\x80": control.proto,
    b"\x81": calls.newobj,
    b"\x82": calls.ext1,
    b"\x83": calls.ext2,
    b"\x84": calls.ext4,
    b"\x85": containers.tuple1,
    b"\x86": containers.tuple2,
    b"\x87": containers.tuple3,
    b"\x88": literals.newtrue,
    b"\x89": literals.newfalse,
    b"\x8a": literals.long1,
    b"\x8b": literals.long4,
    b"B": literals.binbytes,
    b"C": literals.short_binbytes,
    b"\x8c": literals.short_binunicode,
    b"\x8d": literals.binunicode8,
    b"\x8e": literals.binbytes8,
    b"\x8f": containers.empty_set,
    b"\x90": containers.appends,  # ADDITEMS
    b"\x91": containers.frozenset_,
    b"\x92": calls.newobj_ex,
    b"\x93": calls.stack_global,
    b"\x94": memo.memoize,
    b"\x95": control.frame,
    b"\x96": literals.binbytes8,  # BYTEARRAY8
    b"\x97": calls.next_buffer,
    b"\x98": calls.readonly_buffer,
}


def _unknown(reader: Reader, at: int) -> int:
    raise BreaksOffError(f"there is no operation {reader.data[at - 1]:#04x}")


TABLE = [_OPERATIONS.get(bytes((code,)), _unknown) for code in range(256)]
