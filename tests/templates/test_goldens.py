"""What the templates write, compared with files that people read. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import templates
from templates import artefacts, render
from templates.catalogue import CONTEXTS
from tests.templates.cases import CASES

FOLDER = Path(templates.__file__).parent


@pytest.mark.parametrize("golden", CASES)
def test_an_artefact_is_rendered_as_its_golden_says(golden: str) -> None:
    artefact, context = CASES[golden]
    text = render(artefact, context)
    path = FOLDER / golden
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_has_a_case_and_every_artefact_a_golden() -> None:
    on_disk = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/golden/*")}
    assert on_disk == set(CASES)
    assert {artefact for artefact, _ in CASES.values()} == set(artefacts())


def test_every_folder_with_a_template_is_in_the_catalogue() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/template.*.j2")} == set(CONTEXTS)


def test_every_context_is_frozen_and_closed() -> None:
    for context in CONTEXTS.values():
        assert context.model_config.get("frozen")
        assert context.model_config.get("extra") == "forbid"
