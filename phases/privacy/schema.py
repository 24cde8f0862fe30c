"""What of a table counts as known: its columns, their kinds, which of them are personal, and the target's classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from gpu_jobs.data.personal_names import kind_of_name
from phases.privacy.level import Level, allows
from phases.privacy.numbers import rounded

TEXT, DAY = "text", "2020-01-01"


class Column(BaseModel):
    """One column: its kind, the kind of personal data that it holds (or None), and its median where it is a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str = TEXT
    personal: str | None = None
    median: float | None = None


class Schema(BaseModel):
    """A table's columns and the classes of its target; empty while nothing is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...] = ()
    features: tuple[str, ...] = ()
    target: str | None = None
    classes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        dataset: Mapping[str, Any] | None = None,
        facts: Iterable[Mapping[str, Any]] = (),
        fields: Iterable[Mapping[str, Any]] = (),
        personal: Mapping[str, str] | None = None,
    ) -> Self:
        """The schema behind what a run recorded.

        Args:
            dataset: The value of the memory key `dataset`.
            facts: The snapshot's facts of each column: `name` and `type`.
            fields: The fitted fields of `preprocessing.json`, for the medians.
            personal: What the profile job found, by column; None when it has not run: then the names alone decide.
        """
        known = dict(dataset or {})
        features = {one["name"]: str(one.get("kind") or TEXT) for one in known.get("features") or ()}
        kinds = {one["name"]: str(one["type"]) for one in facts} or dict(features)
        kinds |= {name: kinds.get(name, TEXT) for name in (known.get("target"),) if name}
        medians = {one["name"]: one.get("median") for one in fields if one.get("kind") == "number"}
        columns = tuple(
            Column(
                name=name,
                kind=kind,
                personal=kind_of_name(name) if personal is None else personal.get(name),
                median=medians.get(name),
            )
            for name, kind in kinds.items()
        )
        classes = tuple(map(str, known.get("labels") or ()))
        return cls(columns=columns, features=tuple(features), target=known.get("target"), classes=classes)

    @cached_property
    def personal(self) -> dict[str, str]:
        """Kind of personal data by column."""
        return {column.name: column.personal for column in self.columns if column.personal}

    @property
    def names(self) -> frozenset[str]:
        """Names of all columns."""
        return frozenset(column.name for column in self.columns)

    def example(self, level: Level) -> dict[str, Any]:
        """A made-up row that the model takes: medians (rounded, from `aggregates` on) or 0, and words for all else."""
        wanted = set(self.features)
        return {column.name: _made_up(column, level) for column in self.columns if column.name in wanted}


def _made_up(column: Column, level: Level) -> Any:
    if column.kind == "number":
        return rounded(column.median) if column.median is not None and allows(level, "aggregates") else 0
    return {"date": DAY, "boolean": None}.get(column.kind, TEXT)
