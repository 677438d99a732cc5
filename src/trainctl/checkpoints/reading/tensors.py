"""Tensors as torch pickles them: calls of its rebuilding functions on numbered storages.

Source: torch/_utils.py, torch/_tensor.py and torch/storage.py, torch 1.0 to 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeGuard, cast

from trainctl.checkpoints.formats.protocol import Tensor
from trainctl.checkpoints.reading.dtypes import ITEM_BYTES, PACKED, STORED_AS
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.pickled import Call, Global, Persistent, Value

_DIMENSIONS = 64
_LARGEST = 1 << 62
_WRAPPED = 8  # a parameter of a subclass of a tensor moved from a device; not more
_INT = frozenset((int,))
_NOWHERE = (-1, -1)

_Maker = Callable[[tuple[Value, ...], str, str], "Tensor | None"]


class Tensors:
    """Makes a `Tensor` of what would rebuild one.

    places: where each storage lies in the file, and its bytes, by its number; storages that lie
    nowhere are findings unless there are no places at all. file: the name the tensors carry.
    """

    def __init__(
        self, names: tuple[Global, ...], places: Mapping[str, tuple[int, int]] | None, file: str
    ) -> None:
        self.findings = Findings()
        self._places: Mapping[str, tuple[int, int]] = places or {}
        self._missed: set[str] | None = None if places is None else set()
        self._file = file
        known: dict[str, _Maker] = {
            "_rebuild_tensor": self._strided,
            "_rebuild_tensor_v2": self._strided,
            "_rebuild_tensor_v3": self._retyped,
            "_rebuild_qtensor": self._strided,
            "_rebuild_sparse_tensor": self._sparse,
            "_rebuild_nested_tensor": self._nested,
            "_rebuild_meta_tensor_no_storage": self._without_storage,
            "_rebuild_wrapper_subclass": self._wrapper,
            "_rebuild_device_tensor_from_numpy": self._from_array,
            "_rebuild_xla_tensor": self._from_array,
        }
        self._makers = {name: known[name.name] for name in names if _is_maker(name, known)}

    def tensor(self, call: Call, name: str, part: str) -> Tensor | None:
        """The tensor that this call would make; None where it makes something else."""
        maker = self._makers.get(call.function) if isinstance(call.function, Global) else None
        if maker is None:
            call = unwrap(call)
            function = call.function
            maker = self._makers.get(function) if isinstance(function, Global) else None
        if maker is None:
            return None
        try:
            return maker(call.args, name, part)
        except (IndexError, TypeError, ValueError, AttributeError) as error:
            self.findings.append(f"tensor {name[:100]!r} makes no sense: {error}")
            return None

    def _strided(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        return self._lay_out((name, part), self._storage(args[0], name), args)

    def _retyped(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        _, _, start, size = self._storage(args[0], name)
        dtype = _dtype(args[6])
        return self._lay_out((name, part), (dtype, ITEM_BYTES[dtype], start, size), args)

    def _lay_out(
        self, called: tuple[str, str], storage: tuple[str, int, int, int], args: tuple[Value, ...]
    ) -> Tensor:
        """The bytes from the first to the last element. Raises ValueError or TypeError."""
        dtype, item, start, size = storage
        offset, shape, stride = _layout(args)
        count, last = 1, offset
        for length, step in zip(shape, stride, strict=True):
            if length < 0 or step < 0:  # raises TypeError for what is no number, too
                raise ValueError("its shape is no shape")
            count *= length
            last += (length - 1) * step
        if type(count) is not int or type(last) is not int or max(count, last) > _LARGEST:
            raise ValueError("its shape is no shape")
        end = (last + 1) * item if count else offset * item
        if end > size and dtype not in PACKED:
            raise ValueError(f"it needs {end} bytes of a storage that has {size}")
        name, part = called
        first, end = (start + offset * item, start + end) if start >= 0 else (None, None)
        return Tensor(name, shape, dtype, count * item, part, self._file, first, end)

    def _storage(self, value: Value, name: str) -> tuple[str, int, int, int]:
        """Its dtype, bytes of an element, where it begins (-1: unknown), and its bytes."""
        if not isinstance(value, Persistent) or not isinstance(value.id, tuple):
            raise TypeError("it has no storage")
        _, kind, key, _, count, *_ = value.id
        if type(kind) is not Global or type(key) is not str or type(count) is not int:
            raise TypeError("its storage is described oddly")
        dtype = STORED_AS.get(kind.name)
        if dtype is None or not 0 <= count < _LARGEST:
            raise ValueError(f"its storage is of an unknown kind, {kind}")
        item = ITEM_BYTES[dtype]
        start, size = self._places.get(key, _NOWHERE)
        if size != count * item:
            self._miss(key, name, count * item, dtype)
        return dtype, item, start, count * item

    def _miss(self, key: str, name: str, size: int, dtype: str) -> None:
        """Tell, once for each, of a storage that is not as large as it should be."""
        there = self._places.get(key, _NOWHERE)[1]
        if self._missed is None or key in self._missed or (dtype in PACKED and there >= 0):
            return
        self._missed.add(key)
        what = f"has {there} bytes, not {size}" if there >= 0 else "is not there"
        self.findings.append(f"storage {key[:50]!r} of tensor {name[:100]!r} {what}")

    def _sparse(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        """All its bytes, which lie in several places; shape and dtype of what it means."""
        parts = args[1]
        if not isinstance(parts, tuple):
            raise TypeError("its parts are missing")
        inner = [self._plain(value, name, part) for value in parts if isinstance(value, Call)]
        values = [tensor for tensor in inner if tensor is not None]
        shapes = [value for value in parts if _is_sizes(value)]
        size = sum(tensor.bytes for tensor in values)
        return Tensor(name, _sizes(shapes[-1]), values[-1].dtype, size, part, self._file)

    def _plain(self, call: Call, name: str, part: str) -> Tensor | None:
        """A tensor within a tensor, which can only be a plain one."""
        call = unwrap(call)
        maker = self._makers.get(call.function) if isinstance(call.function, Global) else None
        if maker is None or maker not in {self._strided, self._retyped}:
            return None
        return maker(call.args, name, part)

    def _nested(self, args: tuple[Value, ...], name: str, part: str) -> Tensor | None:
        """The buffer that holds its pieces."""
        return self._plain(args[0], name, part) if isinstance(args[0], Call) else None

    def _without_storage(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        return Tensor(name, _sizes(args[1]), _dtype(args[0]), 0, part)

    def _wrapper(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        """A subclass such as DTensor: the whole shape; what is here of it stands in its state."""
        return Tensor(name, _sizes(args[2]), _dtype(args[1]), 0, part)

    def _from_array(self, args: tuple[Value, ...], name: str, part: str) -> Tensor:
        """A numpy array within the pickle: shape in the second place of its state."""
        array, dtype = args[0], _dtype(args[1])
        state = array.state if isinstance(array, Call) else None
        if not isinstance(state, tuple):
            raise TypeError("it has no array")
        shape, count = _sizes(state[1]), 1
        for length in shape:
            count *= length
        return Tensor(name, shape, dtype, count * ITEM_BYTES[dtype], part)


def unwrap(call: Call) -> Call:
    """The call that makes the plain tensor within a parameter or a subclass of tensors."""
    for _ in range(_WRAPPED):
        function, args = call.function, call.args
        name = function.name if isinstance(function, Global) else ""
        if name == "_rebuild_from_type_v2" and len(args) > 2 and isinstance(args[2], tuple):
            call = Call(args[0], args[2])
        elif name in _WRAPPERS and args and isinstance(args[0], Call):
            call = args[0]
        else:
            break
    return call


_WRAPPERS = (
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_device_tensor_from_cpu_tensor",
)


def _layout(args: tuple[Value, ...]) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Offset, shape and stride; what the tuples hold is looked at where it is used."""
    offset, shape, stride = args[1], args[2], args[3]
    if type(shape) is not tuple or type(stride) is not tuple:
        shape, stride = _sizes(shape), _sizes(stride)
    if type(offset) is not int or offset < 0 or len(shape) > _DIMENSIONS:
        raise ValueError("its shape or offset is none")
    return offset, cast("tuple[int, ...]", shape), cast("tuple[int, ...]", stride)


def _is_maker(name: Global, known: Mapping[str, _Maker]) -> bool:
    return name.module == "torch._utils" and name.name in known


def _dtype(value: Value) -> str:
    if not isinstance(value, Global) or value.name not in ITEM_BYTES:
        raise TypeError("its dtype is not known")
    return value.name


def _is_sizes(value: Value) -> bool:
    return isinstance(value, tuple) or (isinstance(value, Call) and "Size" in str(value.function))


def _sizes(value: Value) -> tuple[int, ...]:
    """A shape or stride. Raises TypeError or ValueError for what is none."""
    if isinstance(value, Call) and value.args:
        value = value.args[0]
    if not isinstance(value, tuple) or not _are_numbers(value):
        raise TypeError("its shape is no shape")
    if len(value) > _DIMENSIONS or (value and min(value) < 0):
        raise ValueError("its shape is no shape")
    return value


def _are_numbers(value: tuple[Value, ...]) -> TypeGuard[tuple[int, ...]]:
    return _INT.issuperset(map(type, value))
