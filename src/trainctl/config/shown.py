"""Values as TOML has them, and as messages name them."""

from __future__ import annotations

from typing import cast


def described(value: object) -> str:
    """The type a person would say, with the value where it is short."""
    return f"{_type_of(value)} {shown(value)}"


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "true/false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"


def shown(value: object) -> str:
    """A value as TOML would have it, cut when long."""
    if isinstance(value, int) and abs(value) >= 10**18:
        return "of many digits"  # turning it into text may be refused
    text = "" if isinstance(value, dict) else toml(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def toml(value: object) -> str:
    """A setting's value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        items = cast("list[object] | tuple[object, ...]", value)
        return "[" + ", ".join(toml(item) for item in items) + "]"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else f"{value}"
    return quoted(str(value))


def quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
