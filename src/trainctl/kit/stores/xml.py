"""The XML of S3 and STS. What is cut, foreign or hostile is an error, never empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class MalformedError(ValueError):
    """It is not the answer that was asked for."""


class Said(NamedTuple):
    """An error as the service tells it."""

    code: str = ""
    message: str = ""
    region: str = ""
    endpoint: str = ""


def parse(data: bytes, *roots: str) -> Element:
    """The root element, which has one of these names, with namespaces left out.

    Raises MalformedError.
    """
    from xml.etree import ElementTree as ET

    if b"<!" in data.replace(b"<![CDATA[", b""):  # a document type may define what grows unbounded
        raise MalformedError("the answer holds more than plain XML")
    try:
        root = ET.fromstring(data)  # noqa: S314  # without a document type it is harmless
    except ET.ParseError as error:
        raise MalformedError(f"the answer is no whole XML: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag not in roots:
        raise MalformedError(f"the answer is <{root.tag[:40]}>, not <{roots[0]}>")
    return root


def text(element: Element, *path: str) -> str:
    """What stands there, without spaces around it; empty where nothing does."""
    return (element.findtext("/".join(path)) or "").strip()


def needed(element: Element, name: str) -> str:
    """What stands there. Raises MalformedError where nothing does."""
    found = element.findtext(name)
    if found is None:
        raise MalformedError(f"the answer tells no {name}")
    return found


def number(element: Element, name: str) -> int:
    found = needed(element, name)
    if not (found.isascii() and found.isdigit()):
        raise MalformedError(f"the answer tells {name} as {found[:40]!r}")
    return int(found[:18])


def error_in(data: bytes) -> Optional[Said]:
    """The error that a body tells; None where it tells none."""
    try:
        root = parse(data, "Error", "ErrorResponse", "Response")
    except MalformedError:
        return None
    told = root if root.tag == "Error" else root.find("Error") or root.find("Errors/Error")
    if told is None:
        return None
    names = ("Code", "Message", "Region", "Endpoint")
    return Said(*(text(told, name) for name in names))


def written(name: str, children: Sequence[Tuple[str, object]]) -> str:
    """An element as text; a child's value is text, or children of its own."""
    inner = "".join(
        written(child, value) if isinstance(value, list) else f"<{child}>{_safe(value)}</{child}>"  # type: ignore[arg-type]
        for child, value in children
    )
    return f"<{name}>{inner}</{name}>"


def _safe(value: object) -> str:
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
