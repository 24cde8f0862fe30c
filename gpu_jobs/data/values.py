"""Texts of a whole column to numbers, booleans and dates, or the finding that they are not. It computes no statistics.

All functions take a String series that is stripped, with null for the empty text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

ENOUGH = 0.9  # share of the known values that must fit a type; the rest is odd, counted and named
MARKERS = frozenset({"?", "na", "n/a", "#n/a", "nan", "null", "-", "--", "."})
_NUMBER_MARKERS = MARKERS | {"none", "missing", "unknown", "n.a.", "nil"}
_DECIMAL_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d+)?([eE][+-]?\d+)?$"
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_DOT_GROUPS = r"^[+-]?\d{1,3}(\.\d{3})+$"
_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
_ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
_DAYS = (
    "%Y/%m/%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
)
_FORMATS = (*_ISO, *_ZONED, *_DAYS, *(f"{day} {time}" for day in _DAYS for time in ("%H:%M:%S", "%H:%M")))
_DATE_LIKE = r"\d{1,4}\s?[-/. ]\s?(\d{1,2}|[A-Za-z]{3,9})[-/., ]|^[A-Za-z]{3,9} \d{1,2}, \d{4}"
_PLAIN_DAY = re.compile(r"date|day|time|datum|datetime", re.IGNORECASE)
_SAMPLE = 500
UNITS = ("$", "€", "£", "¥", "%", "USD", "EUR", "GBP", "CHF")


@dataclass
class Found:
    """A column of one type.

    Attributes:
        kind: ``number``, ``boolean``, ``date``, ``category`` or ``text``.
        values: Float64 (number, boolean), Datetime (date) or String; null = missing.
        markers: Texts read as missing and how often.
        odd: Texts that do not fit the type, read as missing, and how often.
        decimal: The decimal mark of numbers.
        date_format: The format of dates.
        levels: The texts of false and true.
        infinite: How many numbers were infinite, read as missing.
        unit: The sign of money or per cent that stands beside the numbers.
    """

    kind: str
    values: pl.Series
    markers: dict[str, int] = field(default_factory=dict)
    odd: dict[str, int] = field(default_factory=dict)
    decimal: str | None = None
    date_format: str | None = None
    levels: list[str] | None = None
    infinite: int = 0
    unit: str | None = None


def counts(texts: pl.Series) -> dict[str, int]:
    """How often each text occurs, most frequent first, ties by text; nulls left out."""
    table = tally(texts.drop_nulls())
    return dict(zip(table["value"].to_list(), table["n"].to_list(), strict=True))


def tally(values: pl.Series) -> pl.DataFrame:
    """Columns ``value`` and ``n``, most frequent first, ties by value."""
    table = values.alias("value").value_counts(name="n")
    return table.sort("n", "value", descending=[True, False])


def uses_decimal_comma(texts: pl.Series) -> bool:
    """Whether a column can only be numbers with a decimal comma: a comma not before exactly three digits."""
    known = texts.drop_nulls()
    commas = known.str.contains(",", literal=True)
    if not commas.any():
        return False
    fits = known.str.contains(_DECIMAL_COMMA)
    grouped = known.filter(commas).str.contains(_THOUSANDS)
    return bool(fits.sum() >= ENOUGH * len(known) and not grouped.all())


def numbers(texts: pl.Series, extra: frozenset[str], comma: bool) -> Found | None:
    """The column as numbers, or None when it is not one.

    Args:
        texts: The column.
        extra: The person's own missing markers.
        comma: Whether the file writes decimals with a comma.
    """
    plain, unit = _without_unit(_without(texts, extra) if extra else texts)
    values, decimal = _parsed(plain, comma or (unit is not None and uses_decimal_comma(plain)))
    failed = plain.filter(plain.is_not_null() & values.is_null())
    strange = counts(failed) if len(failed) else {}
    markers = {text: n for text, n in strange.items() if text.lower() in _NUMBER_MARKERS}
    odd = {text: n for text, n in strange.items() if text not in markers}
    fit = len(values) - values.null_count()
    if not fit or fit < ENOUGH * (fit + sum(odd.values())) or _codes(plain):
        return None
    bad = values.is_nan() | values.is_infinite()
    infinite = int(values.is_infinite().sum())
    nan = int(values.is_nan().sum())
    if bad.any():
        values = pl.select(pl.when(~bad).then(values)).to_series().alias(texts.name)
    markers |= {"nan": nan} if nan else {}
    markers |= _used(texts, extra)
    return Found("number", values, markers, odd, decimal=decimal, infinite=infinite, unit=unit)


def _without_unit(texts: pl.Series) -> tuple[pl.Series, str | None]:
    """The column without the one sign that stands before or after nearly all of its values, and that sign."""
    first = texts.drop_nulls().head(_SAMPLE)
    known = first.filter(~first.str.to_lowercase().is_in(list(_NUMBER_MARKERS)))
    for unit in UNITS:
        outer = rf"^[+-]?\s?{re.escape(unit)}|{re.escape(unit)}$"
        if len(known) and known.str.contains(outer).sum() >= ENOUGH * len(known):
            return texts.str.replace(unit, "", literal=True).str.replace(r"^([+-])\s", "$1").str.strip_chars(), unit
    return texts, None


def _parsed(texts: pl.Series, comma: bool) -> tuple[pl.Series, str]:
    """Float64 with null where a text is no number, and the decimal mark."""
    if comma and texts.str.contains("[.,]").any():
        fits = texts.str.contains(_DECIMAL_COMMA)
        dotted = texts.str.contains(".", literal=True) & ~texts.str.contains(",", literal=True)
        if not (dotted & ~texts.str.contains(_DOT_GROUPS)).any() and fits.any():
            moved = texts.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
            values = moved.cast(pl.Float64, strict=False)
            return pl.select(pl.when(fits).then(values)).to_series().alias(texts.name), ","
    values = texts.cast(pl.Float64, strict=False)
    if values.null_count() > texts.null_count():
        grouped = texts.str.contains(_THOUSANDS)
        if grouped.any():
            moved = texts.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
            values = pl.select(pl.when(grouped).then(moved).otherwise(values)).to_series().alias(texts.name)
    return values, "."


def _codes(texts: pl.Series) -> bool:
    """Whether digits are codes, such as postal codes: some begin with a zero that a number would lose."""
    return bool(texts.str.contains(r"^0\d+$").sum() > 0.05 * (len(texts) - texts.null_count()))


def without_markers(texts: pl.Series, extra: frozenset[str]) -> tuple[pl.Series, dict[str, int]]:
    """The column with markers of the missing as null, and how often each occurred. A `-` beside a `+` is a sign."""
    kept = set(MARKERS)
    short = texts.filter(texts.str.len_bytes() <= 4)
    if short.eq("+").any():
        kept.discard("-")
    marked = short.filter(short.str.to_lowercase().is_in(list(kept)))
    found = counts(marked) if len(marked) else {}
    found |= _used(texts, extra)
    return (_without(texts, frozenset(found)) if found else texts), found


def _used(texts: pl.Series, extra: frozenset[str]) -> dict[str, int]:
    if not extra:
        return {}
    hits = texts.filter(texts.is_in(list(extra)))
    return counts(hits) if len(hits) else {}


def _without(texts: pl.Series, markers: frozenset[str]) -> pl.Series:
    known = ~texts.is_in(list(markers))
    return pl.select(pl.when(known).then(texts)).to_series().alias(texts.name)


def booleans(texts: pl.Series, found: dict[str, int]) -> Found | None:
    """The column as 0 and 1, or None; `found` counts its texts (at most three are enough to decide)."""
    lower = {text.lower() for text in found}
    pair = next((pair for pair in _PAIRS if lower and lower <= set(pair)), None)
    if pair is None or len(lower) != 2:
        return None
    levels = [next(text for text in found if text.lower() == word) for word in pair]
    values = texts.str.to_lowercase().replace_strict({pair[0]: 0.0, pair[1]: 1.0}, return_dtype=pl.Float64)
    return Found("boolean", values, levels=levels)


def dates(texts: pl.Series) -> Found | None:
    """The column as times in UTC, or None. Of day-month orders the one that fits more values is taken."""
    known = texts.drop_nulls()
    sample = known.unique(maintain_order=True).head(_SAMPLE)
    if not len(sample) or sample.str.contains(_DATE_LIKE).sum() < ENOUGH * len(sample):
        return _plain_days(texts, sample)
    fits = {form: len(sample) - moments(sample, form).null_count() for form in _FORMATS}
    for form in sorted(fits, key=lambda form: -fits[form])[:4]:
        values = moments(texts, form)
        lost = texts.filter(texts.is_not_null() & values.is_null())
        if fits[form] and len(lost) <= (1 - ENOUGH) * len(known):
            return Found("date", values, odd=counts(lost) if len(lost) else {}, date_format=form)
    return None


def _plain_days(texts: pl.Series, sample: pl.Series) -> Found | None:
    """Dates such as 20240301, only under a name that says so."""
    if not len(sample) or not _PLAIN_DAY.search(texts.name) or not sample.str.contains(r"^(19|20)\d{6}$").all():
        return None
    values = moments(texts, "%Y%m%d")
    if values.null_count() > texts.null_count():
        return None
    return Found("date", values, date_format="%Y%m%d")


def moments(texts: pl.Series, form: str) -> pl.Series:
    """Times in one format, null where it does not fit or the year has fewer than four digits."""
    values = texts.str.to_datetime(form, strict=False, time_unit="us")
    if form in _ZONED:
        values = values.dt.replace_time_zone(None)
    good = values.dt.year().is_between(1000, 9999)
    return pl.select(pl.when(good).then(values)).to_series().alias(texts.name)
