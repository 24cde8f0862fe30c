"""Makes an SVG file safe and fit to stand inside an HTML page. It draws nothing.

A plot's text may hold column names and labels from somebody's file, and ids of two plots on one page may clash.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
_SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "image", "use"}
_OTHERS = {
    "svg",
    "g",
    "defs",
    "title",
    "desc",
    "clipPath",
    "marker",
    "linearGradient",
    "radialGradient",
    "stop",
    "pattern",
}
_ALLOWED = _SHAPES | _OTHERS
_LINKS = ("href", f"{{{XLINK}}}href")


@lru_cache(maxsize=32)  # a run's report is written more than once, with the same figures
def inline(svg: str) -> str:
    """The `<svg>` element alone: known elements, no scripts, handlers, styles or links outwards, ids made unique.

    Raises:
        ValueError: this is not an SVG document, or it declares entities.
    """
    if "<!ENTITY" in svg:
        raise ValueError("an SVG with entity declarations is not taken into a page")
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise ValueError(f"this is not an SVG document: {error}") from error
    if root.tag != f"{{{SVG}}}svg":
        raise ValueError(f"this is not an SVG document: its root is {root.tag!r}")
    prefix = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8] + "-"
    _clean(root, prefix)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    for attribute in [name for name in root.attrib if name.startswith("aria-") or name == "role"]:
        del root.attrib[attribute]
    root.set("aria-hidden", "true")
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode").strip()


def _clean(element: ElementTree.Element, prefix: str) -> None:
    for child in list(element):
        name = child.tag.removeprefix(f"{{{SVG}}}") if isinstance(child.tag, str) else ""
        if name in _ALLOWED:
            _clean(child, prefix)
        else:
            _remove(element, child)
    for name, value in list(element.attrib.items()):
        if _harmless(name, value):
            element.set(name, _prefixed(name, value, prefix))
        else:
            del element.attrib[name]


def _remove(parent: ElementTree.Element, child: ElementTree.Element) -> None:
    """Take a child out; text after it stays."""
    place = list(parent).index(child)
    if child.tail and child.tail.strip():
        before = parent[place - 1] if place else None
        if before is None:
            parent.text = (parent.text or "") + child.tail
        else:
            before.tail = (before.tail or "") + child.tail
    parent.remove(child)


def _harmless(name: str, value: str) -> bool:
    if name.lower().startswith("on"):
        return False
    if name in _LINKS:
        return value.startswith(("#", "data:image/png;base64,"))
    targets = re.findall(r"url\(\s*['\"]?(.)", value)
    return all(target == "#" for target in targets) and "javascript:" not in value.lower()


def _prefixed(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name in _LINKS and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    return re.sub(r"url\(\s*['\"]?#([^'\")]+)['\"]?\s*\)", rf"url(#{prefix}\1)", value)
