"""A model's predictions: names of classes that are personal data are masked at every level."""

from __future__ import annotations

import pytest

from phases.privacy.level import LEVELS, Level
from phases.privacy.privacy import Privacy
from phases.privacy.schema import Column, Schema

ANSWER = [{"label": "anna@example.com", "probabilities": {"anna@example.com": 0.9, "ben@example.com": 0.1}}]


def schema(personal: str | None) -> Schema:
    column = Column(name="who", kind="category", personal=personal)
    return Schema(columns=(column,), target="who", classes=("anna@example.com", "ben@example.com"))


@pytest.mark.parametrize("level", LEVELS)
def test_personal_classes_leave_neither_as_labels_nor_as_keys(level: Level) -> None:
    found = Privacy(level, schema("mail")).predictions(ANSWER)
    assert found == [{"label": "<mail>"}]


def test_other_classes_and_values_leave_as_they_are() -> None:
    assert Privacy("schema", schema(None)).predictions(ANSWER) == ANSWER
    number = [{"value": 3.5, "interval": [1.0, 6.0]}]
    assert Privacy("schema", Schema(target="y")).predictions(number) == number
