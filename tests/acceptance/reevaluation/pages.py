"""The report and the card as people read them, taken apart: tables by section, and all other text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

Row = list[str]
_ESCAPED = re.compile(r"\\([^A-Za-z0-9\s])")
_REFERENCE = re.compile(r"\s*\[\^\d+\]:?")


@dataclass
class Page:
    """What stands on a page.

    Attributes:
        tables: the rows of each section's tables, cell by cell, heads included.
        prose: all text outside these tables.
        values: (exact value, what is shown) of every figure that carries both.
        widths: of the importance bars, in percent.
    """

    tables: dict[str, list[Row]] = field(default_factory=dict)
    prose: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    widths: list[str] = field(default_factory=list)


def markdown_page(text: str) -> Page:
    """A Markdown document; references to sources are left out, escapes undone."""
    page, section = Page(), ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        elif line.startswith("|"):
            cells = [_plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not all(set(cell) <= {"-"} for cell in cells):
                page.tables.setdefault(section, []).append(cells)
        else:
            page.prose.append(_plain(line))
    return page


def _plain(text: str) -> str:
    bare = _REFERENCE.sub("", text).replace("**", "").strip().strip("`")
    return html.unescape(_ESCAPED.sub(r"\1", bare)).strip()


class _Reader(HTMLParser):
    """Collects a page's tables and text. Figures read as in Markdown: their interval stands in brackets."""

    SKIPPED = ("svg", "style", "title")

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.section, self.skipping = "", 0
        self.heading: list[str] | None = None
        self.cells: list[str] | None = None
        self.figure: str | None = None
        self.closing: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag in self.SKIPPED or (tag == "a" and named.get("class") == "ref"):
            self.skipping += 1
        elif tag == "h2":
            self.heading = []
        elif tag == "tr":
            self.cells = []
        elif tag in ("td", "th") and self.cells is not None:
            self.cells.append("")
        elif tag == "i" and "width:" in named.get("style", ""):
            self.page.widths.append(named["style"].removeprefix("width:").removesuffix("%"))
        self._opened(tag, named)

    def _opened(self, tag: str, named: dict[str, str]) -> None:
        if tag == "data":
            self.figure = named["value"]
        if tag == "span":
            kind = named.get("class", "")
            self._say({"interval": " (", "why": ": "}.get(kind, " "))
            self.closing.append(")" if kind == "interval" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SKIPPED or (tag == "a" and self.skipping):
            self.skipping -= 1
        elif tag == "h2" and self.heading is not None:
            self.section, self.heading = "".join(self.heading).strip(), None
        elif tag == "tr" and self.cells is not None:
            self.page.tables.setdefault(self.section, []).append([" ".join(cell.split()) for cell in self.cells])
            self.cells = None
        elif tag == "span":
            self._say(self.closing.pop())

    def handle_data(self, data: str) -> None:
        if self.skipping:
            return
        if self.figure is not None:
            self.page.values.append((self.figure, data))
            self.figure = None
        self._say(data)

    def _say(self, text: str) -> None:
        if self.heading is not None:
            self.heading.append(text)
        elif self.cells:
            self.cells[-1] += text
        else:
            self.page.prose.append(text)


def html_page(text: str) -> Page:
    """A page of HTML, without its drawings."""
    reader = _Reader()
    reader.feed(text)
    return reader.page
