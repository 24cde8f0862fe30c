"""What the gate of deploy says of generated files: each kind that is written is parsed, and links are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

import templates
from phases.parsing import broken_links, problem

GOLDENS = Path(templates.__file__).parent
HALVES = {  # each of our files, and a place after which its half is broken
    "dockerfile/golden/Dockerfile": 'COPY ["scripts/serve.py"',
    "monitoring/golden/rules.yml": "{severity",
    "monitoring/golden/prometheus.yml": "targets: [",
    "serve/golden/serve.py": "def main(",
    "deploy_sh/golden/deploy.sh": "  exec .serve",
    "training_watch/golden/monitoring.json": "alerts",
}


@pytest.mark.parametrize(("name", "place"), HALVES.items())
def test_what_we_generate_parses_and_half_of_it_does_not(name: str, place: str, tmp_path: Path) -> None:
    assert problem(GOLDENS / name) is None
    text = (GOLDENS / name).read_text(encoding="utf-8")
    path = tmp_path / Path(name).name
    path.write_text(text[: text.index(place) + len(place)], encoding="utf-8")
    assert (problem(path) or "").startswith(f"{path.name}: ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("RUN true\nFROM a\n", "not FROM"),
        ("# nothing\n", "not FROM"),
        ("FROM a\nRUNN true\n", "'RUNN' is no instruction"),
        ("FROM a\nUSER\n", "'USER' is no instruction"),
        ('FROM a\nCMD ["python", "serve.py"\n', "delimiter"),
    ],
)
def test_a_dockerfile_has_a_base_known_instructions_and_lists_that_are_json(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    assert why in (problem(path) or "")


def test_an_absent_file_is_a_problem(tmp_path: Path) -> None:
    assert problem(tmp_path / "rules.yml") and broken_links(tmp_path / "CARD.md") == ["it is missing"]


def test_links_of_a_document_are_followed_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "a b.svg").touch()
    page = tmp_path / "reports" / "page.md"
    page.write_text(
        "![a plot](a%20b.svg) [card](../models/CARD.md) [gone](gone.svg#top) [home](https://example.com/x)\n"
        "`[code](in/code.md)` [here](#here) \\[no\\](link.md)\n```sh\n[x](y.md)\n```\n"
    )
    assert broken_links(page) == ["../models/CARD.md", "gone.svg"]
