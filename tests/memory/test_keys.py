"""Names under `neural/` and run ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import keys
from memory.errors import UsageError


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    moment = datetime(2026, 11, 21, 9, 45, 1, tzinfo=UTC)
    ids = [keys.new_run_id(moment + timedelta(seconds=n)) for n in range(50)]
    assert ids == sorted(ids)
    assert ids[0].startswith("r-20261121-094501-")
    assert len({keys.new_run_id(moment) for _ in range(50)}) > 40


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_run_id_makes_a_key(moment: datetime) -> None:
    run = keys.new_run_id(moment)
    assert keys.value(run, "state") == f"neural/{run}/state"


def test_the_catalogue_has_the_reference_names_with_their_owners() -> None:
    assert keys.CATALOGUE["training-metrics"] == keys.Key("training-metrics", "train", "neural-orchestrator")
    assert keys.CATALOGUE["architecture"].owner == "ml-developer"
    assert keys.CATALOGUE["deployment-ready"].owner == "cicd-engineer"
    assert {f"phase{n}-complete" for n in range(1, 6)} <= keys.CATALOGUE.keys()
    assert all(keys.check_name(name) == name for name in keys.CATALOGUE)


@pytest.mark.parametrize("run", ["ws", "queue", "runs", "templates", "schema", "", "a b", "../x", "R-1", "x" * 65])
def test_reserved_words_and_odd_letters_are_no_run_ids(run: str) -> None:
    with pytest.raises(UsageError, match="is no run id"):
        keys.value(run, "state")


@pytest.mark.parametrize("name", [*sorted(keys.INTERNAL), "asserted/x", "events/1"])
def test_what_memory_keeps_for_itself_is_no_value_name(name: str) -> None:
    with pytest.raises(UsageError, match="kept by memory itself"):
        keys.check_name(name)


@pytest.mark.parametrize("name", ["", "/", "a//b", "a/", "A", "é", "a b", "a\n", "x" * 201, "..", "a/../b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        keys.check_name(name)
    assert caught.value.code == "usage.key"
