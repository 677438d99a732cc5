from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainctl.telemetry.render import ROWS, Renderer, rendered, rendered_together
from trainctl.telemetry.rows import Row


def lines_of(*chunks: bytes, colour: bool = False) -> list[str]:
    renderer = Renderer(colour=colour)
    lines = [line for chunk in chunks for line in renderer.feed(chunk)]
    return lines + renderer.finish()


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\n\ntwo", ["one", "", "", "two"]),
        (b"a\tb\n", ["a\tb"]),
        (b"dos\r\nlines\r\n\r\n", ["dos", "lines", ""]),
        (b"pty\r\r\n", ["pty"]),
        (b"10%\r20%\r100%\n", ["100%"]),
        (b"a long line\rshort\n", ["short"]),
        (b"kept\r", ["kept"]),
        (b"\r     \rnext\n", ["next"]),
        (b"50%\r     \r\nnext\n", ["next"]),
        (b"|\b/\b-\n", ["-"]),
        (b"100%\b\b\b\b 50%\n", [" 50%"]),
        (b"abc\b\bX\n", ["aX"]),
        (b"old\x1b[2K\rnew\n", ["new"]),
        (b"old text\r\x1b[Knew\n", ["new"]),
        (b"abcdef\x1b[3D\x1b[K!\n", ["abc!"]),
        (b"abc\x1b[1Gx\n", ["x"]),
        (b"a\x1b[3Cb\n", ["a   b"]),
        (b"one\x1b[Etwo\n", ["two"]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
        ("größer ━━ 学習\n".encode(), ["größer ━━ 学習"]),
        (b"bell\x07 nul\x00 del\x7f\n", ["bell␇ nul␀ del␡"]),
        (b"\x1b[?25l\x1b[1;1H\x1b[2J\x1b(Btext\x1b7\n", ["text"]),
        (b"\x1b]0;title\x07text\x1b]52;c;ZXZpbA==\x1b\\\n", ["text"]),
        (b"\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\\n", ["link"]),
        (b"\x1b]0;never ended\nnext\n", ["␛]0;never ended", "next"]),
        (b"cut off\x1b[", ["cut off␛["]),
        ("a\u202eb\u2066c\u009bd\u2028e\n".encode(), ["a\ufffdb\ufffdc\ufffdd\ufffde"]),
    ],
)
def test_bytes_become_lines(written: bytes, shown: list[str]):
    assert lines_of(written) == shown


def test_a_bar_that_redraws_ten_thousand_times_is_one_line():
    bar = b"".join(b"\r%3d%%|####| %d/10000" % (step // 100, step) for step in range(10_001))
    assert lines_of(b"before\n" + bar + b"\nafter\n") == [
        "before",
        "100%|####| 10000/10000",
        "after",
    ]


def test_the_trainer_of_transformers_is_readable():
    """Its evaluation bar stands below the training bar, and goes back up by ESC[A."""
    outer = "\r 47%|████▋     | 15/32 [00:00<00:00, 148.90it/s]".encode()
    inner = b"".join(b"\n\r %d%%|x| %d/4\x1b[A" % (n * 25, n) for n in range(5))
    closed = b"\n\r            \r\x1b[A"
    evaluated = b"\r      \r{'eval_loss': '1.215', 'epoch': '1'}\n"
    last = b"\r100%|x| 32/32\n"
    assert lines_of(outer + inner + closed + evaluated + last) == [
        " 47%|████▋     | 15/32 [00:00<00:00, 148.90it/s]",
        "{'eval_loss': '1.215', 'epoch': '1'}",
        "100%|x| 32/32",
    ]


def test_a_log_line_wipes_the_bar_that_it_replaces():
    bar = b"\r  0%|          | 0/32 [00:00<?, ?it/s]"
    assert lines_of(bar + b"\r" + b" " * 40 + b"\r{'loss': '1.201'}\n" + bar) == [
        "{'loss': '1.201'}",
        "  0%|          | 0/32 [00:00<?, ?it/s]",
    ]


KERAS = (
    "Epoch 2/2\n\r\x1b[1m 1/13\x1b[0m \x1b[32m━\x1b[0m\x1b[37m━━━\x1b[0m \x1b[1m0s\x1b[0m "
    "4ms/step - loss: 0.4012" + "\x08" * 40 + "\r\x1b[1m13/13\x1b[0m \x1b[32m━━━━\x1b[0m "
    "\x1b[1m0s\x1b[0m 3ms/step - loss: 1.9053 - val_loss: 1.8607\n"
).encode()


def test_keras_bars_are_one_line_each():
    assert lines_of(KERAS) == [
        "Epoch 2/2",
        "13/13 ━━━━ 0s 3ms/step - loss: 1.9053 - val_loss: 1.8607",
    ]


def test_colours_stay_where_they_are_wanted_and_end_with_their_line():
    assert lines_of(KERAS, colour=True)[1].startswith("\x1b[1m13/13\x1b[0m \x1b[32m━━━━\x1b[0m")
    assert lines_of(b"\x1b[31mred\nplain\n", colour=True) == ["\x1b[31mred\x1b[0m", "plain"]


def test_redrawing_in_colour_ten_thousand_times_does_not_pile_up_colours():
    assert lines_of(b"\r\x1b[1mbar\x1b[0m" * 10_000, colour=True) == ["\x1b[1mbar\x1b[0m"]


def test_a_live_display_of_three_rows_is_shown_once_when_it_is_complete():
    """The way rich draws: up and erase, row by row, then all rows anew."""
    wipe = b"\r\x1b[2K" + b"\x1b[1A\x1b[2K" * 2
    frames = [b"step %d\nloss %d\nbar %d" % (n, n, n) for n in range(100)]
    shown = lines_of(wipe.join(frames) + b"\ndone\n")
    assert shown[-4:] == ["step 99", "loss 99", "bar 99", "done"]
    assert len(shown) == 6  # the two upper rows were shown once before the first redraw


def test_the_cursor_cannot_go_back_further_than_the_rows_that_are_kept():
    above = b"".join(b"row %d\n" % n for n in range(100))
    shown = lines_of(above + b"\x1b[999Atop\n")
    assert shown == [f"row {n}" for n in range(100)] + ["top"]
    assert ROWS < 100


def test_a_line_without_an_end_is_capped_and_its_rest_counted():
    chunk = b"x" * 1000
    shown = lines_of(*[chunk] * 1000, b"\nnext\n")
    assert shown == ["x" * Row.LIMIT + f" [and {1_000_000 - Row.LIMIT} more characters]", "next"]
    assert shown == lines_of(chunk * 1000 + b"\nnext\n")


def test_an_unfinished_line_is_shown_after_a_second_and_then_once_a_second():
    renderer = Renderer()
    assert renderer.feed(b"\r10%") == []
    assert [renderer.tick(now) for now in (0.0, 0.5, 1.0, 1.5)] == [[], [], ["10%"], []]
    assert renderer.feed(b"\r20%\r30%") == []
    assert [renderer.tick(now) for now in (2.0, 2.5, 3.0, 9.0)] == [[], [], ["30%"], []]
    assert renderer.feed(b"\nnext\n") == ["next"]  # it has been shown, and has not changed since


def test_a_line_written_in_pieces_is_shown_whole():
    """An unbuffered print('step', 5) is four writes."""
    renderer = Renderer()
    clock = HandClock()
    shown: list[str] = []
    for piece in (b"step", b" ", b"5", b"\n"):
        shown += renderer.feed(piece) + renderer.tick(clock.monotonic())
        clock.sleep(0.02)
    assert shown == ["step 5"]


def test_batches_come_as_the_chunks_do():
    batches = rendered([b"one\ntw", b"", b"o\nthree"], Renderer(), HandClock())
    assert list(batches) == [["one"], [], ["two"], ["three"]]


def test_lines_of_several_ranks_say_whose_they_are():
    chunks = [("rank0", b"a\nb"), ("rank1", b"x\r"), ("rank0", b"c\n"), ("rank1", b"y\n")]
    shown = [line for batch in rendered_together(chunks, HandClock()) for line in batch]
    assert shown == ["[rank0] a", "[rank0] bc", "[rank1] y"]


PIECES = st.sampled_from(
    [
        b"\r", b"\n", b"\r\n", b"\b", b"\b\b\b", b"\x1b", b"\x1b[A", b"\x1b[2A", b"\x1b[B",
        b"\x1b[K", b"\x1b[2K", b"\x1b[J", b"\x1b[5C", b"\x1b[2D", b"\x1b[3G", b"\x1b[E",
        b"\x1b[F", b"\x1b[31m", b"\x1b[0m", b"\x1b[?25l", b"\x1b]0;", b"\x07", b"\x1b\\",
        b"\x1bM", b"\x1bP", b"\x1b(B", b"\x00", b"\x7f", b"\xc2\x9b", b"\xe2\x80\xae", b"\xff",
        b"text", b" ", b"   ", b"\t", "━".encode(), "學".encode()[:2], b"[", b"1;2", b"m",
    ]
)  # fmt: skip
LOGS = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join))
SAFE = re.compile(
    "[^\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]*"
)


@settings(max_examples=1000)
@example(log=b"\x1b[A\r ", cuts=[3], colour=False)
@given(LOGS, st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_chunk_boundaries_change_nothing(log: bytes, cuts: list[int], colour: bool):
    places = [0, *sorted(cuts), len(log)]
    chunks = [log[a:b] for a, b in itertools.pairwise(places)]
    assert lines_of(*chunks, colour=colour) == lines_of(log, colour=colour)


@given(LOGS, st.booleans())
def test_one_byte_at_a_time_changes_nothing(log: bytes, colour: bool):
    assert lines_of(*(log[n : n + 1] for n in range(len(log))), colour=colour) == lines_of(
        log, colour=colour
    )


@given(LOGS)
def test_no_control_character_comes_out(log: bytes):
    assert all(SAFE.fullmatch(line) for line in lines_of(log))


@given(LOGS)
def test_with_colours_only_colours_come_out_and_each_line_resets_them(log: bytes):
    for line in lines_of(log, colour=True):
        colours = re.findall("\x1b\\[[0-9;:]*m", line)
        assert SAFE.fullmatch(re.sub("\x1b\\[[0-9;:]*m", "", line))
        assert not colours or colours[-1] in {"\x1b[m", "\x1b[0m"}


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"])), min_size=1))
def test_plain_text_passes_unchanged(lines: list[str]):
    assert lines_of("".join(line + "\n" for line in lines).encode()) == lines
