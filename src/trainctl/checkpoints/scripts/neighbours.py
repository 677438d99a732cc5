"""The modules beside a script that it imports, and what of them it can reach."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeGuard

from trainctl.checkpoints.scripts.options import Source

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def imported(source: Source, folder: str) -> dict[str, set[str]]:
    """Files of local modules, each with the names that the script takes from it."""
    attributes: dict[str, set[str]] = {}
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                attributes.setdefault(owner, set()).add(name)
            case _:
                pass
    found: dict[str, set[str]] = {}
    for module, names in _imports(source, attributes):
        path = _module_file(folder, module)
        if path is not None:
            found.setdefault(path, set()).update(names)
    return found


def _imports(source: Source, attributes: Mapping[str, set[str]]) -> Iterator[tuple[str, set[str]]]:
    for node in source.nodes:
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield alias.name, attributes.get(alias.asname or alias.name, set())
            case ast.ImportFrom(module=module, names=aliases):
                for alias in aliases:
                    inner = f"{module}.{alias.name}" if module else alias.name
                    yield inner, attributes.get(alias.asname or alias.name, set())
                if module:
                    yield module, {alias.name for alias in aliases}
            case _:
                pass


def _module_file(folder: str, module: str) -> str | None:
    base = os.path.join(folder, *module.split("."))
    candidates = (base + ".py", os.path.join(base, "__init__.py"))
    return next((path for path in candidates if os.path.isfile(path)), None)


def reached(tree: ast.Module, names: set[str]) -> ast.Module:
    """The module without the functions and classes that these names never lead to, nor its main.

    A model's file often holds a little parser of its own, which the script never calls.
    """
    kept = [node for node in tree.body if not _is_main_guard(node)]
    if "*" in names:
        return ast.Module(kept, [])
    defined = {node.name: node for node in kept if _is_definition(node)}
    loose = [node for node in kept if not _is_definition(node)]
    seen: set[str] = set()
    waiting = (names | _names_in(loose)) & defined.keys()
    while waiting:
        seen |= waiting
        waiting = (_names_in(defined[name] for name in waiting) & defined.keys()) - seen
    return ast.Module([*loose, *(node for name, node in defined.items() if name in seen)], [])


def _is_definition(node: ast.stmt) -> TypeGuard[Definition]:
    return isinstance(node, Definition)


def _is_main_guard(node: ast.stmt) -> bool:
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case _:
            return False


def _names_in(nodes: Iterable[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}
