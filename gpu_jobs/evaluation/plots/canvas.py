"""One figure: opened with the house style, written as accessible, deterministic SVG. It knows no data.

Background is transparent and text is a mid grey, so that the same file reads on light and dark pages; text stays text.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from unicodedata import category

TEXT = "#7d8590"
GRID = "#8b949e"
BLUE, ORANGE, GREEN, RED, PURPLE = "#3d85d8", "#d9822b", "#2f9e6e", "#d6604d", "#9167c9"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, "#2aa5b5", "#b8860b", "#c2629e", "#6b8e23", "#7f7f7f")
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

DOTS = 110  # per inch of the PNG: 704 pixels wide

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.titlesize": 12.0,
    "axes.titlelocation": "left",
    "axes.titlepad": 12.0,
    "axes.unicode_minus": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": GRID,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.8,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Plot:
    """A figure on disk: its file name, its title, and a sentence for who cannot see it.

    `picture` is the same figure in pixels, for who is shown no SVG: a chat.
    """

    file: str
    title: str
    alt: str

    @property
    def picture(self) -> str:
        """File name of the same figure as PNG, on white."""
        return self.file.removesuffix(".svg") + ".png"

    def as_dict(self) -> dict[str, str]:
        """The plain form."""
        return {"file": self.file, "picture": self.picture, "title": self.title, "alt": self.alt}


@dataclass
class Sheet:
    """A figure being drawn: `axes` to draw on, and the alternative text that the drawing code fills in."""

    figure: Any
    axes: Any
    alt: list[str] = field(default_factory=list)


@contextmanager
def sheet(
    folder: Path, name: str, title: str, size: tuple[float, float] = (6.4, 3.8)
) -> Iterator[tuple[Sheet, list[Plot]]]:
    """Open a figure of `size` inches; on leaving it is in `folder`, as SVG and PNG, and its `Plot` is in the list.

    Example:
        with sheet(folder, "loss", "Loss per epoch") as (page, made): page.axes.plot([1, 2], [3, 4])
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    made: list[Plot] = []
    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"neuroloom-{name}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        page = Sheet(figure, figure.add_subplot())
        page.axes.set_title(title, fontweight="bold")
        yield page, made
        plot = Plot(f"{name}.svg", title, " ".join(page.alt) or title)
        drawn, pixels = io.StringIO(), io.BytesIO()
        with warnings.catch_warnings():  # text stays text: the reader's fonts have the letters that ours lacks
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
            figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
            figure.set_layout_engine("none")  # everything stays where it stands, and is not placed again
            figure.savefig(pixels, format="png", dpi=DOTS, facecolor="white", metadata={"Software": None})
    _write(folder / plot.file, _finished(drawn.getvalue(), plot).encode())
    _write(folder / plot.picture, pixels.getvalue())
    made.append(plot)


def _finished(svg: str, plot: Plot) -> str:
    """Plain, accessible SVG: no prolog or metadata, no ids but those referred to, a title and a description.

    Names and labels of the data may hold characters that XML 1.0 forbids, such as escape; they are left out. Those
    that are invisible and steer the text around them, such as a turn of its direction, are replaced.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\g<1>{_FONT}", svg)
    head, rest = svg.split(">", 1)
    head += ' role="img" style="max-width:100%;height:auto"'
    label = f"<title>{escape(plot.title)}</title>\n <desc>{escape(plot.alt)}</desc>"
    text = _FORBIDDEN.sub("", f"{head}>\n {label}{rest}")
    return text if text.isascii() else "".join("\ufffd" if category(char) == "Cf" else char for char in text)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(body)
    partial.replace(path)


def values_of(measures: Sequence[dict[str, Any]]) -> list[float]:
    """The plain numbers of measurements."""
    return [float(measure["value"]) for measure in measures]


def short(name: str, most: int = 28) -> str:
    """A label cut to fit beside an axis; `$` stays a dollar sign."""
    text = _FORBIDDEN.sub("", " ".join(str(name).split()))
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("$", r"\$")


def spoken(value: float) -> str:
    """A number as a person would say it: three significant digits, thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def thousands(axis: Any, values: Sequence[float]) -> None:
    """Few ticks, written as 200k, on an axis (matplotlib's `xaxis` or `yaxis`) whose values are large."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    if max((abs(value) for value in values), default=0.0) >= 10_000:
        axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter(EngFormatter(sep=""))
