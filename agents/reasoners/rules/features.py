"""The rules for the inputs: which columns stay, how each is read, which are left out and why. They read no cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.decisions.task_plan import Dropped, Feature, Split
from agents.reasoners.rules.table import Table
from agents.reasoners.rules.wording import listed, quoted
from memory.errors import InputError

LEAK = 0.95
"""A column that alone tells the target this well (balanced accuracy above chance, or R²) was most likely made from it.

The profile asks for more where rows are few and for quantities, so that a merely strong column is not listed at all.
"""
KEEP = "to keep it, name it in --features"


@dataclass(frozen=True)
class Inputs:
    """The chosen inputs, the columns left out, and what a person should know of them."""

    features: tuple[Feature, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...]


def choose(table: Table, target: str, split: Split) -> Inputs:
    """The inputs.

    `--features` is a whitelist and `--drop` a blacklist. Columns without information always go; leaks,
    identifiers and the columns that split the rows go unless the whitelist names them.

    Raises:
        InputError: `input.no_such_column` for an unknown name in a flag; `input.no_usable_column` when
            nothing is left.
    """
    wanted, unwanted = table.asked("features"), table.asked("drop")
    candidates = [name for name in table.columns if name != target]
    dropped = [
        found
        for name in candidates
        if (
            found := _asked_away(table, name, wanted, unwanted)
            or _empty(table, name)
            or _unfit(table, name, wanted, split)
        )
    ]
    dropped, saved = _spare_only_leaks(table, candidates, dropped)
    gone = {entry.name for entry in dropped}
    features = tuple(_feature(table.columns[name]) for name in candidates if name not in gone)
    if not features:
        raise InputError(
            f"no usable column is left beside the target {target!r}: "
            + "; ".join(f"{quoted(entry.name)} {entry.reason}" for entry in dropped[:6]),
            code="input.no_usable_column",
            field="features",
            fix="give a table with at least one column that varies, or choose columns with --features",
        )
    return Inputs(features, tuple(dropped), (*saved, *_kept_notes(table, features, wanted)))


def _asked_away(table: Table, name: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> Dropped | None:
    if name in unwanted:
        return Dropped(name=name, reason="you asked (--drop)")
    if wanted and name not in wanted:
        recipe = table.request.get("features_from") == "recipe"
        return Dropped(name=name, reason="not an input of the recipe" if recipe else "not among --features")
    return None


def _empty(table: Table, name: str) -> Dropped | None:
    column = table.columns[name]
    if column.get("all_missing") or name in table.found("all_missing"):
        return Dropped(name=name, reason="has no value in any row", evidence={"missing": column["missing"]})
    if column.get("constant") or name in table.found("constant"):
        return Dropped(name=name, reason="has the same value in every row", evidence={"distinct": column["distinct"]})
    return None


def _unfit(table: Table, name: str, wanted: tuple[str, ...], split: Split) -> Dropped | None:
    if name in wanted:
        return None
    leak = table.found("leaks").get(name)
    if leak is not None and float(leak["score"]) >= LEAK:
        return _leak(name, leak)
    if name == split.group:
        return Dropped(name=name, reason=f"names the group, and test rows come from other groups; {KEEP}")
    if name == split.time and table.columns[name]["type"] == "number":
        return Dropped(name=name, reason=f"orders the rows, and test rows lie beyond its range; {KEEP}")
    if name in table.found("identifiers"):
        found = table.columns[name].get("identifier") or {}
        why = f" ({found['why']})" if found.get("why") else ""
        return Dropped(name=name, reason=f"identifies the row{why}; {KEEP}", evidence=dict(found))
    return None


def _leak(name: str, leak: Mapping[str, Any]) -> Dropped:
    score = float(leak["score"])
    evidence = {"score": score, "measure": leak.get("measure"), "why": leak.get("why")}
    told = f"almost gives the target by itself ({leak.get('measure', 'score')} {score:.3f})"
    reason = f"{told}, so it is most likely made from it; {KEEP}"
    return Dropped(name=name, reason=reason, evidence=evidence)


def _spare_only_leaks(
    table: Table, candidates: list[str], dropped: list[Dropped]
) -> tuple[list[Dropped], tuple[str, ...]]:
    """Keep the leaks when nothing else would be left: the table may simply be easy."""
    if len(dropped) < len(candidates):
        return dropped, ()
    leaks = [entry for entry in dropped if "made from it" in entry.reason and entry.name in table.found("leaks")]
    if not leaks:
        return dropped, ()
    names = {entry.name for entry in leaks}
    note = f"{listed(sorted(names))} almost gives the target by itself, and is kept because nothing else is left"
    return [entry for entry in dropped if entry.name not in names], (note,)


def _feature(column: Mapping[str, Any]) -> Feature:
    kinds: dict[str, Literal["number", "category", "date", "text"]] = {
        "number": "number",
        "boolean": "category",
        "category": "category",
        "date": "date",
        "text": "text",
    }
    return Feature(
        name=column["name"],
        kind=kinds[column["type"]],
        decimal=column.get("decimal"),
        date_format=column.get("date_format"),
    )


def _kept_notes(table: Table, features: tuple[Feature, ...], wanted: tuple[str, ...]) -> list[str]:
    names = {feature.name for feature in features}
    notes = []
    for name, leak in table.found("leaks").items():
        if name in names:
            asked = ", kept as asked" if name in wanted else ""
            told = f"{quoted(name)} tells much of the target by itself ({float(leak['score']):.3f}){asked}"
            notes.append(f"{told}: is it known when you predict?")
    if wide := [name for name in table.found("high_cardinality") if name in names]:
        notes.append(f"{listed(wide)} with many levels: learned as embeddings, rare and unseen levels share one")
    if texts := [f.name for f in features if f.kind == "text"]:
        notes.append(f"{listed(texts)} is free text: its words are hashed into numbers")
    if dates := [f.name for f in features if f.kind == "date"]:
        notes.append(f"{listed(dates)} is read as parts of a date")
    return notes
