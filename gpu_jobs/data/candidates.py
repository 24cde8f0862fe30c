"""Which column is meant as the target, and which task it poses. Proposals with reasons; people and agents decide."""

from __future__ import annotations

import re
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


_STRONG = _words(
    "target label labels class y outcome response dependent churn churned exited attrition default defaulted survived"
    " survival species diagnosis quality fraud spam"
)
_LIKELY = _STRONG | _words(
    "price value sales rating strength charges salary revenue demand clicked converted purchased approved medv"
)
_MAYBE = _words("income score result category type status cost costs amount duration count cnt grade risk mpg")
_SPLIT = re.compile(r"^(split|fold|set|subset|partition|is_train|is_test|train_test)$", re.IGNORECASE)
_AMOUNT = re.compile(r"how (much|many|long|old)|price|amount|cost|value of|number of|estimate|forecast|regress", re.I)
_KIND = re.compile(r"classif|which|whether|who will|what kind|category|detect", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")
_FEW_LEVELS, _MOST_CLASSES = 20, 200
_ASKS = frozenset({"is", "has", "was", "will"})


def candidates(columns: list[dict[str, Any]], goal: str | None) -> list[dict[str, Any]]:
    """Up to five possible targets, the best first: ``{"column", "score", "reason"}``, scores from 0 to 1."""
    words = set(_WORD.findall((goal or "").lower()))
    names = {column["name"].lower() for column in columns}
    usable = [column for column in columns if _can_be(column)]
    found = [_candidate(column, (i, len(usable)), words, names) for i, column in enumerate(usable)]
    return sorted(found, key=lambda entry: -entry["score"])[:5]


def _can_be(column: dict[str, Any]) -> bool:
    if column["constant"] or column["all_missing"] or column["type"] in ("text", "date") or column["identifier"]:
        return False
    if column["type"] == "category" and column["distinct"] > min(_MOST_CLASSES, column["rows"] / 2):
        return False
    return not (column["missing"] > column["rows"] / 2 or _SPLIT.search(column["name"]))


def _candidate(column: dict[str, Any], place: tuple[int, int], goal: set[str], names: set[str]) -> dict[str, Any]:
    score, reasons = 0.1, []
    overlap, (sounds, how) = _spoken(column["name"], goal), _sounds(column["name"], names)
    for gain, holds, why in (
        (0.8 * overlap, overlap > 0, "the goal speaks of it"),
        (sounds, sounds > 0, how),
        (0.25, place[0] == place[1] - 1, "it is the last column that could be one"),
        (0.08, place[0] == 0, "it is the first column"),
        (-0.1, column["missing"] > 0, "some rows lack it"),
        (0.1, column["distinct"] == 2, "it has two different values"),
        (0.05, column["type"] == "number" and column["distinct"] > _FEW_LEVELS, "it is a quantity"),
        (0.03, 2 < column["distinct"] <= _FEW_LEVELS, f"it has {column['distinct']} different values"),
    ):
        if holds:
            score += gain
            reasons.append(why)
    reason = "; ".join(reasons) or "nothing speaks for it but that it could be predicted"
    return {"column": column["name"], "score": round(min(score, 1.0), 2), "reason": reason}


def _sounds(name: str, names: set[str]) -> tuple[float, str]:
    """How much a name speaks for a target, and why: all of it, its last word, or what follows is, has, was or will."""
    words = _WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    coordinate = words == ["y"] and {"x", "z"} <= names
    if len(words) == 1 and words[0] in _STRONG and not coordinate:
        return 0.45, "its name is one that targets have"
    telling = {*words[-1:], *(words[1:2] if words[:1] and words[0] in _ASKS else ())}
    if telling & _LIKELY and not coordinate:
        return 0.35, "its name sounds like a target"
    return (0.15, "its name could be a target's") if telling & _MAYBE else (0.0, "")


def _spoken(name: str, goal: set[str]) -> float:
    """Share of the words of a column's name that the goal holds, by their first five letters."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    parts = [word for word in _WORD.findall(spaced) if len(word) > 2]
    stems = {word[:5] for word in goal if len(word) > 2}
    return sum(part[:5] in stems for part in parts) / len(parts) if parts else 0.0


def suggest_task(column: dict[str, Any], counts: list[int], goal: str | None) -> tuple[str, str]:
    """``binary``, ``multiclass`` or ``regression``, and why.

    Args:
        column: Facts of the target.
        counts: Rows of every class, were it a class.
        goal: The person's words.
    """
    distinct = len(counts)
    if distinct == 2:
        return "binary", f"{column['name']!r} has two different values"
    if column["type"] != "number":
        return "multiclass", f"{column['name']!r} is text with {distinct} different values"
    if not column["integer"]:
        return "regression", f"{column['name']!r} holds numbers with decimals"
    words = goal or ""
    if _AMOUNT.search(words) and not _KIND.search(words):
        return "regression", f"{column['name']!r} holds whole numbers and the goal asks for an amount"
    if distinct > _FEW_LEVELS or min(counts) < 2 or sum(counts) < 5 * distinct:
        return "regression", f"{column['name']!r} holds whole numbers, {distinct} different ones"
    return "multiclass", f"{column['name']!r} holds whole numbers, only {distinct} different ones"
