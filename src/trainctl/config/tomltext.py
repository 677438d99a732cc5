"""TOML from a file that may be broken or hostile.

Size and depth are checked before `tomllib` sees the text: 20,000 dotted parts (40 KB) take it
10 s, and deep nesting ends in RecursionError.
"""

from __future__ import annotations

import os
import re
import stat

from trainctl.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24  # parts of a dotted key, and brackets within brackets

# Compiled at first use, which most commands never have. A hostile text costs one pass: what each
# loop takes is disjoint, and its tail cannot fail. An unclosed text runs to its end. Groups are
# not possessive: Python 3.11.2 loses their last turn (python/cpython#106052).
_LEXEME = r"""
      (?P<skip> \#[^\n]*+ | [ \t]++ )
    | (?P<part> \"{3}(?:[^"\\]++|\\.|"(?!""))*(?:"{3,5}|\Z|\\)
              | '{3}(?:[^']++|'(?!''))*(?:'{3,5}|\Z)
              | "(?:[^"\\\n]++|\\.)*"? | '[^'\n]*+'?
              | [A-Za-z0-9_-]++ )
    | (?P<dot> \.)
    | (?P<open> [\[{])
    | (?P<close> [\]}])
    | (?P<other> .)
"""


def read_text(path: str) -> str | None:
    """The text of a file, None when there is none. ConfigError names what is wrong with it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            raise ConfigError(f"{path} is not a file", hint=f"move it away: ls -ld {path}")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint=f"look at it: ls -l {path}"
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"{path} is larger than {MAX_BYTES // 1024} KiB, too large for settings",
            hint="a settings file has some lines; start again with: trainctl init",
        )
    return _decoded(path, data)


def _decoded(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x}",
            hint="save the file as UTF-8",
        ) from error


def parse_toml(path: str, text: str) -> dict[str, object]:
    """The document. ConfigError says file and line."""
    refuse_depth(path, text)
    import tomllib  # 15 ms that only those pay who have a file

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", hint="write it flat") from error
    except ValueError as error:  # TOMLDecodeError, and an integer of too many digits
        line = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        where = f"{path}:{line[1]}" if line else path
        what = str(error)[: line.start()] if line else str(error)[:200]
        raise ConfigError(
            f"{where}: not valid TOML: {what}",
            hint="correct the line, then: trainctl config validate",
        ) from error


def refuse_depth(path: str, text: str) -> None:
    """ConfigError where a key has too many parts or brackets nest too deeply; one cheap pass."""
    parts = nested = 0
    for token in re.finditer(_LEXEME, text, re.VERBOSE | re.DOTALL):
        match token.lastgroup:
            case "skip":
                continue
            case "dot":
                parts += 1
            case "part":
                continue
            case "open":
                nested, parts = nested + 1, 0
            case "close":
                nested, parts = max(0, nested - 1), 0
            case _:
                parts = 0
        if parts >= MAX_DEPTH or nested > MAX_DEPTH:
            line = text.count("\n", 0, token.start()) + 1
            raise ConfigError(
                f"{path}:{line}: keys or brackets nest more than {MAX_DEPTH} deep",
                hint="settings are flat; correct the line, then: trainctl config validate",
            )


def line_of(text: str, key: str, section: str = "") -> int | None:
    """The line that sets `key`, as well as a look at the text can tell; None when it cannot."""
    start = 0
    if section:
        dotted = r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in section.split("."))
        header = re.search(rf"^[ \t]*\[\s*{dotted}\s*\]", text, re.MULTILINE)
        start = header.end() if header else 0
    name = rf"[\"']?{re.escape(key)}[\"']?"
    found = re.compile(
        rf"^[ \t]*(?:{name}[ \t]*[=.]|\[+[^\]\n]*\b{name}[ \t]*[\].])", re.MULTILINE
    )
    match = found.search(text, start)
    return text.count("\n", 0, match.start()) + 1 if match else None
