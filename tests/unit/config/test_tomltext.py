from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.config.tomltext import MAX_BYTES, MAX_DEPTH, line_of, parse_toml, read_text
from trainctl.errors import ConfigError

HOSTILE = {
    "a long dotted key": "a" + ".a" * 20_000 + " = 1",
    "a long dotted header": "[a" + ".a" * 20_000 + "]",
    "quoted parts": '"a"' + ".'b'" * 20_000 + " = 1",
    "parts with spaces between": "a" + " . a" * 20_000 + " = 1",
    "a deep key in an inline table": "x = {a" + ".a" * 20_000 + " = 1}",
    "arrays in arrays": "x = " + "[" * 50_000,
    "tables in tables": "x = " + "{a = " * 50_000,
    "after an escaped quote": 'x = "\\""\na' + ".a" * 100 + " = 1",
    "after a text of several lines": 'x = """a""""\na' + ".a" * 100 + " = 1",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_depth_is_refused_before_tomllib_sees_it(text: str):
    with pytest.raises(ConfigError, match=rf"t\.toml:\d+: .*more than {MAX_DEPTH} deep"):
        parse_toml("t.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        f'x = "{"a.b[" * 100}"',
        f"x = '{'a.b[' * 100}'",
        f'x = """\n{"a.b[" * 100}\n"""',
        f"x = '''\n{'a.b[' * 100}\n'''",
        f'x = """{"a.b" * 100}"""""',
        f"x = 1 # {'a.b[' * 100}",
        "x = [" + "[1], " * 1000 + "]",
        "x.y.z = 1.5",
    ],
)
def test_what_only_looks_deep_is_read(text: str):
    assert "x" in parse_toml("t.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        '"""\\' * 40_000,
        "'''\"\"\"" * 20_000,
        '"\\' * 100_000,
        "." * 200_000,
        "x = " + "9" * 200_000,
        "x = \\",
        'x = """\\',
        "x = 2020-99-99",
        "x = 1\nx = 2",
        "x = [1, 2",
        "\0",
    ],
)
def test_broken_texts_are_named_with_file_and_remedy(text: str):
    with pytest.raises(ConfigError, match=r"^t\.toml") as caught:
        parse_toml("t.toml", text)
    assert caught.value.hint
    assert len(caught.value.message) < 300


@given(st.text(st.sampled_from("ab.[]{}=\"'\\# \n,1"), max_size=60))
def test_no_text_gets_out_as_another_error_and_good_ones_are_unchanged(text: str):
    try:
        read = parse_toml("t.toml", text)
    except ConfigError:
        return
    assert read == tomllib.loads(text)


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path):
    assert read_text(f"{tmp_path}/none.toml") is None
    assert read_text(f"{tmp_path}/none/none.toml") is None


def test_a_folder_and_a_pipe_in_the_place_of_the_file_are_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (f"{tmp_path}", f"{tmp_path}/pipe"):
        with pytest.raises(ConfigError, match="is not a file") as caught:
            read_text(path)
        assert path in (caught.value.hint or "")


def test_a_file_of_another_encoding_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "t.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match=r"t\.toml:2: not UTF-8: byte 0xff"):
        read_text(f"{tmp_path}/t.toml")


def test_a_file_too_large_for_settings_is_refused(tmp_path: Path):
    (tmp_path / "t.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_text(f"{tmp_path}/t.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root reads everything")
def test_an_unreadable_file_is_named(tmp_path: Path):
    (tmp_path / "t.toml").touch(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        read_text(f"{tmp_path}/t.toml")


def test_the_line_of_a_key_is_found_in_its_section():
    text = "retries = 0\n[tool.trainctl]\n# retries\n'retries' = 1\n[tool.trainctl.hosts]\n"
    assert line_of(text, "retries") == 1
    assert line_of(text, "retries", "tool.trainctl") == 4
    assert line_of(text, "hosts", "tool.trainctl") == 5
    assert line_of(text, "absent") is None
