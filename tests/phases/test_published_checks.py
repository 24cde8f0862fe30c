"""The gate of deploy on published files: YAML, Dockerfile and links of documents count, each named when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from phases.gates import Check
from phases.guides import MODEL_FILES
from phases.publish import DOCUMENTS, published_checks
from phases.workspace import sha256


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*DOCUMENTS, *(f"models/{file}" for file in MODEL_FILES), "monitoring/rules.yml", "Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("FROM a\n" if name == "Dockerfile" else "groups: []\n")
    return tmp_path


def _why(root: Path, name: str) -> str:
    sealed = {f"models/{file}": sha256(root / "models" / file) for file in MODEL_FILES}
    checks: list[Check] = published_checks(root, 1, sealed)
    return next(check.why for check in checks if check.name == name)


@pytest.mark.parametrize("name", ["monitoring/rules.yml", "Dockerfile"])
def test_a_file_that_does_not_parse_is_named(root: Path, name: str) -> None:
    assert Path(name).name not in _why(root, "generated_files_parse")
    (root / name).write_text("groups: [\n")
    assert Path(name).name in _why(root, "generated_files_parse")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_of_a_document_that_leads_nowhere_is_named(root: Path, name: str) -> None:
    (root / name).write_text(f"[here]({Path(name).name}) [gone](gone.svg)")
    assert _why(root, "links_hold") == f"{name}: gone.svg"
