"""The tree of modules: repeated layers once, as deep as there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainctl.checkpoints import tree
from trainctl.checkpoints.formats.protocol import Tensor, count


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, "float32", 4 * count(shape))


def gpt(layers: int) -> list[Tensor]:
    each = [("attn.weight", (8, 8)), ("attn.bias", (8,)), ("mlp.weight", (8, 16))]
    below = [tensor(f"net.h.{n}.{name}", *shape) for n in range(layers) for name, shape in each]
    return [tensor("net.wte.weight", 100, 8), *below]


def told(tensors: list[Tensor], room: int = 40) -> list[tuple[int, str, int]]:
    return [(line.level, line.name, line.times) for line in tree.lines(tensors, room)]


def test_layers_of_the_same_structure_are_told_once():
    assert told(gpt(12)) == [
        (0, "net", 1),
        (1, "wte.weight", 1),
        (1, "h.0..11", 12),
        (2, "attn", 1),
        (3, "weight", 1),
        (3, "bias", 1),
        (2, "mlp.weight", 1),
    ]


def test_a_layer_that_is_not_like_the_others_stands_alone():
    odd = [tensor("net.h.2.extra", 3)]
    names = [name for _, name, _ in told([*gpt(4), *odd])]
    assert [name for name in names if name[0].isdigit()] == ["0..1", "2", "3"]


def test_it_is_as_deep_as_there_is_room_but_never_empty():
    assert len(told(gpt(12), room=4)) <= 4
    assert told(gpt(12), room=0) == [(0, "net", 1)]
    assert told([]) == []


def test_sizes_are_those_of_all_that_are_alike():
    lines = tree.lines(gpt(12), 40)
    assert lines[0].parameters == sum(count(one.shape) for one in gpt(12))
    layers = next(line for line in lines if line.times == 12)
    assert layers.parameters == 12 * (64 + 8 + 128)
    assert layers.bytes == 4 * layers.parameters


@given(st.lists(st.text("ab.01", max_size=200), max_size=40), st.integers(0, 60))
def test_any_names_make_a_tree_that_counts_every_tensor(names: list[str], room: int):
    tensors = [tensor(name, 2) for name in dict.fromkeys(names)]
    lines = tree.lines(tensors, room)
    assert sum(line.parameters for line in lines if line.level == 0) == 2 * len(tensors)
