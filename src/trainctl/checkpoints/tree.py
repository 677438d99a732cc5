"""The modules of a model as a tree of lines: repeated layers once, as deep as there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Tensor, count

_DEEPEST = 64  # names come from files; a name of a million dots is a leaf


class Line(NamedTuple):
    """One module, or one tensor, or several that are alike. name: within the one above it.

    times: how many of them there are; parameters and bytes are of all of them together. tensor:
    what it is, where it is one.
    """

    level: int
    name: str
    times: int
    parameters: int
    bytes: int
    tensor: Tensor | None


class _Node:
    """A module. alike: equal for modules of the same structure, whatever they are called."""

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.tensor: Tensor | None = None
        self.parameters = self.bytes = 0
        self.alike = -1


_Group = tuple[list[str], _Node]  # the names of modules that are alike, and the first of them


def lines(tensors: Iterable[Tensor], room: int) -> list[Line]:
    """The tree of these tensors, down to the deepest level at which it has at most `room` lines.

    At least the first level is told.
    """
    root = _rooted(tensors)
    found = list(_lines(root, 0, 1))
    for deepest in range(2, _DEEPEST):
        deeper = list(_lines(root, 0, deepest))
        if len(deeper) > room or len(deeper) == len(found):
            break
        found = deeper
    return found


def _rooted(tensors: Iterable[Tensor]) -> _Node:
    root = _Node()
    for tensor in tensors:
        node = root
        for word in tensor.name.split(".", _DEEPEST):
            node = node.below.setdefault(word, _Node())
        node.tensor = tensor
    _sum_up(root, {})
    return root


def _sum_up(node: _Node, known: dict[object, int]) -> None:
    """Sizes, and the number of its shape: equal structures get equal numbers."""
    tensor = node.tensor
    if tensor is not None:
        node.parameters, node.bytes = count(tensor.shape), tensor.bytes
    for below in node.below.values():
        _sum_up(below, known)
        node.parameters += below.parameters
        node.bytes += below.bytes
    shape = (
        (tensor.shape, tensor.dtype) if tensor else None,
        tuple((name, below.alike) for name, below in node.below.items()),
    )
    node.alike = known.setdefault(shape, len(known))


def _lines(node: _Node, level: int, deepest: int) -> Iterator[Line]:
    for group in _grouped(node.below):
        name, times, shown = _joined(group)
        yield Line(level, name, times, shown.parameters * times, shown.bytes * times, shown.tensor)
        if level + 1 < deepest:
            yield from _lines(shown, level + 1, deepest)


def _grouped(below: Mapping[str, _Node]) -> list[_Group]:
    """Numbered neighbours of the same structure, together."""
    groups: list[_Group] = []
    for name, node in below.items():
        names, first = groups[-1] if groups else ([""], None)
        if first and name.isdigit() and names[0].isdigit() and node.alike == first.alike:
            names.append(name)
        else:
            groups.append(([name], node))
    return groups


def _joined(group: _Group) -> tuple[str, int, _Node]:
    """`h.0..5`, six times: what has nothing else in it is told in one word with that."""
    names, node = group
    name, times = _word(names), len(names)
    while node.tensor is None:
        groups = _grouped(node.below)
        if len(groups) != 1:
            break
        names, node = groups[0]
        name, times = f"{name}.{_word(names)}", times * len(names)
    return name, times, node


def _word(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"
