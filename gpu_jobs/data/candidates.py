"""Which column is meant as the target, and which task it poses. Proposals with reasons; people and agents decide."""

from __future__ import annotations

import re
from typing import Any

_STRONG = re.compile(r"^(target|label|labels|class|y|outcome|churn|churned|is_churn|default|survived)$", re.IGNORECASE)
_SPLIT = re.compile(r"^(split|fold|set|subset|partition|is_train|is_test|train_test)$", re.IGNORECASE)
_WEAK = re.compile(
    r"(^|[_\W])(targets?|labels?|class|outcome|churn(ed)?|price|species|income|result|fraud|diagnosis|response|score"
    r"|quality|sales|rating|category|value)$",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"how (much|many|long|old)|price|amount|cost|value of|number of|estimate|forecast|regress", re.I)
_KIND = re.compile(r"classif|which|whether|who will|what kind|category|detect", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")
_FEW_LEVELS, _MOST_CLASSES = 20, 200


def candidates(columns: list[dict[str, Any]], goal: str | None) -> list[dict[str, Any]]:
    """Up to five possible targets, the best first: ``{"column", "score", "reason"}``, scores from 0 to 1."""
    words = set(_WORD.findall((goal or "").lower()))
    found = [_candidate(column, i, len(columns), words) for i, column in enumerate(columns)]
    usable = [entry for entry in found if entry is not None]
    return sorted(usable, key=lambda entry: -entry["score"])[:5]


def _candidate(column: dict[str, Any], place: int, count: int, goal: set[str]) -> dict[str, Any] | None:
    if column["constant"] or column["all_missing"] or column["type"] in ("text", "date"):
        return None
    if column["type"] == "category" and column["distinct"] > _MOST_CLASSES:
        return None
    if column["identifier"] or column["missing"] > column["rows"] / 2 or _SPLIT.search(column["name"]):
        return None
    score, reasons = 0.1, []
    name = column["name"]
    overlap = _spoken(name, goal)
    for gain, holds, why in (
        (0.5 * overlap, overlap > 0, "the goal speaks of it"),
        (0.45, bool(_STRONG.search(name)), "its name is one that targets have"),
        (0.15, bool(_WEAK.search(name)) and not _STRONG.search(name), "its name sounds like a target"),
        (0.25, place == count - 1, "it is the last column"),
        (0.08, place == 0, "it is the first column"),
        (-0.1, column["missing"] > 0, "some rows lack it"),
        (0.1, 2 <= column["distinct"] <= _FEW_LEVELS, f"it has {column['distinct']} different values"),
    ):
        if holds:
            score += gain
            reasons.append(why)
    reason = "; ".join(reasons) or "nothing speaks for it but that it could be predicted"
    return {"column": name, "score": round(min(score, 1.0), 2), "reason": reason}


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
