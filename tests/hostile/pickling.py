"""Pickles written by hand, operation by operation."""

from __future__ import annotations

import struct

PROTO = b"\x80\x02"
HOOKS = b"ccollections\nOrderedDict\n)R"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *args: bytes) -> bytes:
    """Call something with arguments that are pickled already."""
    return name(module, attribute) + b"(" + b"".join(args) + b"tR"


def run(module: str, attribute: str, *args: str) -> bytes:
    """A whole pickle that calls something with texts."""
    return PROTO + call(module, attribute, *map(text, args)) + b"."


def storage(count: int = 16, key: str = "0", kind: str = "FloatStorage") -> bytes:
    parts = (text("storage"), name("torch", kind), text(key), text("cpu"), number(count))
    return b"(" + b"".join(parts) + b"tQ"


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes((len(data),)) + data


def sizes(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    shape: bytes | None = None,
    stride: bytes | None = None,
    offset: bytes = b"K\x00",
    stored: bytes | None = None,
) -> bytes:
    """A call that rebuilds a tensor; by default four by four numbers in storage 0."""
    shape, stride = shape or sizes(4, 4), stride or sizes(4, 1)
    return (
        REBUILD + b"(" + (stored or storage()) + offset + shape + stride + b"\x89" + HOOKS + b"tR"
    )


def state(**entries: bytes) -> bytes:
    """A whole pickle of a dictionary of these."""
    items = b"".join(text(key) + value for key, value in entries.items())
    return PROTO + b"}(" + items + b"u."
