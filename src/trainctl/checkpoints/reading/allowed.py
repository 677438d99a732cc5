"""Which names a pickle may import and still be data; what is not listed runs code when loaded.

Every name here is harmless whatever it is called with, or has a rule for its arguments. A list of
what is dangerous would never end: scanners that keep one were passed by dozens of names.
Source: torch/_weights_only_unpickler.py (2.13), and what else training scripts store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainctl.checkpoints.formats.protocol import Verdict
from trainctl.checkpoints.reading.names import DATA, NEVER_CALLED, REBUILDERS
from trainctl.checkpoints.reading.pickled import Call, Global, Value
from trainctl.checkpoints.reading.pickles import Pickle

Rule = Callable[[tuple[Value, ...]], bool]


def judge(*pickles: Pickle) -> Verdict:
    """What loading these may do. A stream that breaks off may have run something before."""
    if any(pickle.findings for pickle in pickles):
        return Verdict.MALFORMED
    data = all(not pickle.strange and not foreign(pickle) for pickle in pickles)
    return Verdict.DATA if data else Verdict.CODE


def imports(*pickles: Pickle) -> tuple[str, ...]:
    return tuple(sorted({str(name) for pickle in pickles for name in pickle.globals}))


def unlisted(names: Iterable[str]) -> list[str]:
    """Those of an inspection's imports that are not data."""
    listed = {f"{module}.{name}" for module, known in DATA.items() for name in known}
    return [name for name in names if name not in listed]


def foreign(pickle: Pickle) -> list[str]:
    """What is not data in it: names that are not listed, and listed ones that are misused."""
    found = [str(name) for name in pickle.globals if name.name not in DATA.get(name.module, ())]
    rules = {name: _rule_of(name) for name in pickle.globals}
    for call in pickle.calls:
        rule = _of_result if not isinstance(call.function, Global) else rules.get(call.function)
        if rule is not None and not rule(call.args):
            found.append(f"an odd call of {_what(call.function)}")
    return found


def _what(function: Value) -> str:
    return str(function) if isinstance(function, Global) else "what another call made"


def _rule_of(name: Global) -> Rule | None:
    if name.name in NEVER_CALLED.get(name.module, ()):
        return _of_result
    return _RULES.get(str(name))


def _of_result(_: tuple[Value, ...]) -> bool:
    """Nothing that is data calls this."""
    return False


def _empty(args: tuple[Value, ...]) -> bool:
    return not args


def _encodes_latin1(args: tuple[Value, ...]) -> bool:
    return len(args) == 2 and args[1] in ("latin1", "latin-1") and not isinstance(args[0], Call)


def _small(args: tuple[Value, ...]) -> bool:
    """A number as an argument would be a size to allocate."""
    return not any(isinstance(arg, int) for arg in args)


def _rebuilds(args: tuple[Value, ...]) -> bool:
    """It calls its first argument with the rest."""
    first = args[0] if args else None
    return isinstance(first, Global) and first.name in REBUILDERS


def _of_array(args: tuple[Value, ...]) -> bool:
    return bool(args) and isinstance(args[0], Global) and str(args[0]) == "numpy.ndarray"


def _of_plain_object(args: tuple[Value, ...]) -> bool:
    """`copyreg._reconstructor(cls, object, None)`, which makes an empty one of a listed class."""
    base = args[1] if len(args) == 3 else None
    named = isinstance(base, Global) and base.name == "object"
    return named and isinstance(args[0], Global) and args[2] is None


_RULES: dict[str, Rule] = {
    "_codecs.encode": _encodes_latin1,
    "builtins.bytearray": _small,
    "__builtin__.bytearray": _small,
    "builtins.bytes": _empty,
    "__builtin__.bytes": _empty,
    "torch._tensor._rebuild_from_type_v2": _rebuilds,
    "numpy._core.multiarray._reconstruct": _of_array,
    "numpy.core.multiarray._reconstruct": _of_array,
    "copyreg._reconstructor": _of_plain_object,
    "copy_reg._reconstructor": _of_plain_object,
}
