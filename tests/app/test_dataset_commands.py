"""`neuroloom dataset`: tables kept by name, on the real service of the folder; no Redis is needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import Call
from tests.phases.services.conftest import end_everything


@pytest.fixture(autouse=True)
def _hosts_end(tmp_path: Path) -> Iterator[None]:
    yield
    asyncio.run(end_everything(tmp_path / "state"))


def test_a_table_is_added_listed_and_removed(call: Call, tmp_path: Path) -> None:
    added = call("dataset", "add", "penguins.csv", "--json")
    assert added.code == 0 and added.document()["name"] == "penguins"
    assert Path(added.document()["file"]).is_relative_to(tmp_path / "neural" / "datasets")
    assert call("dataset", "list", "--json").document()["total"] == 1
    assert "penguins" in call("dataset", "list").out
    assert call("dataset", "rm", "penguins").out == "removed penguins\n"
    assert call("dataset", "list", "--json").document() == {"datasets": [], "total": 0}


def test_a_person_at_the_terminal_may_name_any_file(call: Call, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "t.csv"
    elsewhere.write_text("a,b\n1,2\n")
    assert call("dataset", "add", str(elsewhere)).code == 0


def test_what_is_wrong_is_said_with_its_code(call: Call) -> None:
    told = call("dataset", "add", "absent.csv", "--json")
    assert told.code == 4 and told.document()["error"]["code"] == "input.missing_file"
    assert call("dataset", "rm", "nothing", "--json").document()["error"]["code"] == "input.no_such_dataset"
    assert (
        call("dataset", "add", "penguins.csv", "--name", "../x", "--json").document()["error"]["code"] == "input.name"
    )


def test_a_profile_is_told_in_words_and_as_one_document(call: Call, tmp_path: Path) -> None:
    rows = "".join(f"{i % 50}.5,{'north' if i % 3 else 'south'},{'yes' if i % 2 else 'no'}\n" for i in range(120))
    (tmp_path / "t.csv").write_text(f"age,town,left\n{rows}")
    words = call("dataset", "profile", "t.csv")
    assert words.code == 0 and "120 rows, 3 columns" in words.out and "likely target: left" in words.out
    document = json.loads(call("dataset", "profile", "t.csv", "--target", "left", "--json").out)
    assert document["classes"] == [{"label": "no", "rows": 60}, {"label": "yes", "rows": 60}]
