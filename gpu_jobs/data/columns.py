"""One column of strings (or of a typed format) to its type and its facts, as the snapshot records them."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from .identifiers import identifier
from .values import Found, booleans, counts, dates, numbers, tally, without_markers

_TEXT_WORDS, _TEXT_SHARE = 2.5, 0.3


def typed(series: pl.Series, extra: frozenset[str], comma: bool) -> Found:
    """The type of a column and its values.

    Args:
        series: As read: String, Float64, Boolean, Date or Datetime.
        extra: The person's own missing markers.
        comma: Whether the file writes decimals with a comma.
    """
    if series.dtype != pl.String:
        return _native(series)
    if series.null_count() == len(series):
        return Found("number", series.cast(pl.Float64))
    found = _plain_dates(series) or numbers(series, extra, comma)
    if found is not None:
        return found
    texts, markers = without_markers(series, extra)
    if texts.null_count() == len(texts):
        return Found("number", texts.cast(pl.Float64, strict=False), markers)
    found = booleans(texts, _first_levels(texts)) or dates(texts) or Found(_words(texts), texts)
    found.markers = markers
    return found


def _plain_dates(series: pl.Series) -> Found | None:
    """Dates such as 20240301 are found before numbers."""
    first = series.drop_nulls().head(1)
    return dates(series) if first.str.contains(r"^(19|20)\d{6}$").all() else None


def _first_levels(texts: pl.Series) -> dict[str, int]:
    if texts.drop_nulls().head(1000).n_unique() > 6:
        return {}
    found = counts(texts)
    return found if len(found) <= 6 else {}


def _words(texts: pl.Series) -> str:
    """``text`` for several words that rarely repeat, else ``category``."""
    known = texts.drop_nulls()
    distinct = known.n_unique()
    words = _words_mean(known)
    many = distinct > 30 and words >= _TEXT_WORDS and distinct >= _TEXT_SHARE * len(known)
    long = distinct > 100 and words >= 6
    return "text" if many or long else "category"


def _words_mean(known: pl.Series) -> float:
    sample = known if len(known) <= 20_000 else known.gather_every(len(known) // 20_000)
    mean = sample.str.count_matches(r"\S+").mean()
    return float(mean) if isinstance(mean, (int, float)) else 0.0


def _native(series: pl.Series) -> Found:
    if series.dtype == pl.Boolean:
        return Found("boolean", series.cast(pl.Float64), levels=["false", "true"])
    if series.dtype == pl.Float64:
        infinite = int(series.is_infinite().sum())
        gone = int(series.is_nan().sum())
        known = series.is_finite()
        values = pl.select(pl.when(known).then(series)).to_series().alias(series.name)
        return Found("number", values, {"nan": gone} if gone else {}, decimal=".", infinite=infinite)
    zone = getattr(series.dtype, "time_zone", None)
    moments = series.cast(pl.Datetime("us", zone))
    if zone is not None:
        moments = moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return Found("date", moments, date_format="%Y-%m-%d")


def stored(found: Found) -> pl.Series:
    """What the snapshot keeps: Float64 or String; times as ISO 8601 texts."""
    if found.kind != "date":
        return found.values
    midnight = (found.values.dt.time().cast(pl.Int64).drop_nulls() == 0).all()
    return found.values.dt.to_string("%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%S")


def facts(found: Found, values: pl.Series) -> dict[str, Any]:
    """The COLUMN entry of the snapshot's result for a typed column and its stored values."""
    known = values.drop_nulls()
    table = tally(known)
    number = found.kind in ("number", "boolean")
    column: dict[str, Any] = {
        "name": values.name,
        "type": found.kind,
        "rows": len(values),
        "missing": values.null_count(),
        "missing_markers": found.markers,
        "distinct": table.height,
        **(_moments(known) if number else _ends(known, found.kind)),
        "examples": _shown(known.head(50).unique(maintain_order=True).head(3), found),
        "top": list(map(list, zip(_shown(table["value"].head(5), found), table["n"].head(5), strict=True))),
        "constant": table.height == 1 and values.null_count() == 0,
        "all_missing": not len(known),
        "date_format": found.date_format,
        "decimal": found.decimal,
        "unit": found.unit,
        "mixed": {"count": sum(found.odd.values()), "examples": list(found.odd)[:5]} if found.odd else None,
        "infinite": found.infinite,
        "sorted": _sorted(values, table.height),
        "integer": number and bool(len(known)) and bool((known == known.floor()).all()),
        "words_mean": _words_mean(known) if found.kind in ("text", "category") and len(known) else None,
        "levels": found.levels,
    }
    column["identifier"] = identifier(values, column)
    return column


def _moments(known: pl.Series) -> dict[str, Any]:
    return {name: _number(getattr(known, name)()) for name in ("min", "max", "mean", "std")}


def _ends(known: pl.Series, kind: str) -> dict[str, Any]:
    ends = (known.min(), known.max()) if kind == "date" else (None, None)
    return {"min": ends[0], "max": ends[1], "mean": None, "std": None}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _shown(values: pl.Series, found: Found) -> list[Any]:
    """Values as they stood in the file: booleans as text, long texts cut."""
    if found.levels is not None:
        return [found.levels[int(value)] for value in values]
    if found.kind == "number":
        return [int(v) if v == int(v) and abs(v) < 1e15 else v for v in values]
    return [value if len(value) <= 200 else value[:197] + "..." for value in values]


def _sorted(values: pl.Series, distinct: int) -> bool:
    if distinct < 2 or values.null_count():
        return False
    return values.is_sorted() or values.is_sorted(descending=True)
