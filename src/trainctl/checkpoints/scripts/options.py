"""An option that a script defines, and how the literal parts of its source are read."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

SIZE_LIMIT = 2_000_000  # bytes of one source file; a script that people write has far fewer
_DEPTH = 8  # of nested expressions; a default that is nested deeper is no literal to us

Scalar = str | int | float | bool | None


class Option(NamedTuple):
    flags: tuple[str, ...]  # as typed, such as ("-o", "--out-dir"); none: a constant in the source
    dest: str
    default: Scalar = None  # None also where the source tells no literal
    takes_value: bool = True
    choices: tuple[str, ...] = ()
    type: str = ""  # the name of what converts it: "str", "Path", "int", ...
    help: str = ""
    reader: str = "argparse"  # what gives the script this option
    required: bool = False
    variable: str | None = None  # the environment variable that its default is read from


class Source(NamedTuple):
    """A parsed file: every node once, and what its module level assigns to plain names."""

    tree: ast.Module
    nodes: tuple[ast.AST, ...]
    constants: Mapping[str, ast.expr]

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))


def parse(source: bytes) -> Source | None:
    """The source as a tree; None for what Python itself would not read, or would choke on."""
    if len(source) > SIZE_LIMIT:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in a user's script is not our news
        try:
            return as_source(ast.parse(source))
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return None


def as_source(tree: ast.Module) -> Source:
    return Source(tree, tuple(ast.walk(tree)), dict(_assignments(tree.body)))


def _assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case _:
                pass


def name_of(node: ast.AST | None) -> str:
    """The last part of a dotted name: `Path` for both `Path` and `pathlib.Path`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def keywords_of(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def text_of(node: ast.AST | None) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ""


def texts_in(node: ast.AST | None) -> tuple[str, ...]:
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(str(item.value) for item in items if isinstance(item, ast.Constant))
        case _:
            return ()


def literal(
    node: ast.AST | None, constants: Mapping[str, ast.expr], depth: int = _DEPTH
) -> Scalar:
    """What this expression is without running it; None where that cannot be told.

    Knows constants of the module, paths put together, and the fallback of a look into the
    environment.
    """
    if depth == 0:
        return None
    match node:
        case ast.Constant(value=str() | int() | float() as value):
            return value
        case ast.Name(id=name) if name in constants:
            return literal(constants[name], constants, depth - 1)
        case _:
            return _composed(node, constants, depth)


def _composed(node: ast.AST | None, constants: Mapping[str, ast.expr], depth: int) -> Scalar:
    match node:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined([left, right], constants, depth)
        case ast.BoolOp(op=ast.Or(), values=values):
            return literal(values[-1], constants, depth - 1)
        case ast.Call(func=func, args=args) if name_of(func) in {"Path", "PurePath", "join"}:
            return _joined(args, constants, depth)
        case ast.Call(func=func, args=[only]) if name_of(func) in {"str", "expanduser", "abspath"}:
            return literal(only, constants, depth - 1)
        case ast.Call(args=[_, fallback]) if variable_in(node):
            return literal(fallback, constants, depth - 1)
        case _:
            return None


def _joined(parts: Sequence[ast.expr], constants: Mapping[str, ast.expr], depth: int) -> Scalar:
    values = [literal(part, constants, depth - 1) for part in parts]
    texts = [value for value in values if isinstance(value, str)]
    return os.path.join(*texts) if texts and len(texts) == len(values) else None


def variable_in(node: ast.AST | None) -> str | None:
    """The environment variable that this expression looks up, if it does."""
    for part in ast.walk(node) if node is not None else ():
        match part:
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if name_of(func) == "getenv" or _is_environ_get(func):
                    return name
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                if name_of(value) == "environ":
                    return name
            case _:
                pass
    return None


def _is_environ_get(func: ast.expr) -> bool:
    return (
        isinstance(func, ast.Attribute) and func.attr == "get" and name_of(func.value) == "environ"
    )
