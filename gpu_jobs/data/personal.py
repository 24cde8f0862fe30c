"""Which columns hold personal data: by their names, and by what a sample of their cells looks like.

Only the kind leaves this module, never a cell. Names of people are known by the column's name alone: no pattern tells
them from other words.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from .identifiers import COUNTER, SURE
from .personal_names import kind_of_name

_LOOKED_AT, _SAMPLE = 20_000, 1000
_ENOUGH = 0.6  # share of the sampled cells that must look like it
_DIGITS = 7
_MAIL = r"^[^@\s]{1,64}@[^@\s]{1,190}\.[A-Za-z]{2,24}$"
_IP = r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$|^([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}$"
_PHONE = r"^(\+|00|\()?[\d][\d ()/.-]{5,20}\d$"
_PLAIN = r"^\d+([.,]\d+)?$"  # a number, a count of seconds, a code: no telephone without a sign of one
_DAY = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_HARMLESS = frozenset({"date", "boolean"})


def personal(frame: pl.DataFrame, columns: list[dict[str, Any]]) -> dict[str, str]:
    """The kind of personal data per column that most likely holds some.

    Args:
        frame: The snapshot's rows.
        columns: The facts of its columns.
    """
    found = {}
    for column in columns:
        kind = _kind(frame[column["name"]], column)
        if kind is not None:
            found[column["name"]] = kind
    return found


def _kind(values: pl.Series, column: dict[str, Any]) -> str | None:
    named = kind_of_name(column["name"])
    if named is not None and _fits(named, column):
        return named
    identifier = (column["identifier"] or {"score": 0.0})["score"]
    if values.dtype != pl.String:
        return "id" if identifier > COUNTER else None  # named as one: what merely counts rows is no person's
    sample = values.drop_nulls().head(_LOOKED_AT).unique(maintain_order=True).head(_SAMPLE)
    looks = _looks(sample) if len(sample) else None
    return looks or ("id" if identifier >= SURE else None)


def _fits(named: str, column: dict[str, Any]) -> bool:
    """Whether a column's kind does not speak against its name: `mobile` may be yes or no, `name` is no number."""
    if named == "birth_date":
        return True
    return column["type"] not in _HARMLESS and not (named in {"name", "mail", "address"} and column["type"] == "number")


def _looks(sample: pl.Series) -> str | None:
    """What most of these texts look like."""
    if _share(sample.str.contains(_MAIL)) >= _ENOUGH:
        return "mail"
    if _share(sample.str.contains(_IP)) >= _ENOUGH:
        return "ip"
    if sum(is_iban(text) for text in sample) >= _ENOUGH * len(sample):
        return "iban"
    number = ~sample.str.contains(_PLAIN) & ~sample.str.contains(_DAY)
    digits = sample.str.count_matches(r"\d") >= _DIGITS
    return "phone" if _share(sample.str.contains(_PHONE) & number & digits) >= _ENOUGH else None


def _share(holds: pl.Series) -> float:
    return float(holds.sum()) / len(holds)


def is_iban(text: str) -> bool:
    """Whether it is an international bank account number with a right checksum (ISO 13616, mod 97).

    Example:
        >>> is_iban("GB82 WEST 1234 5698 7654 32"), is_iban("GB83 WEST 1234 5698 7654 32")
        (True, False)
    """
    plain = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1
