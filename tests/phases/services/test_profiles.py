"""Profiles of tables: made by jobs, kept by content, and without a raw cell."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path

import pytest

from gpu_jobs.host import processes
from memory.errors import InputError
from phases.datasets import DatasetProfile
from phases.services.datasets import Datasets

DEADLINE = 120.0


async def profiled(datasets: Datasets, table: str, target: str | None = None) -> DatasetProfile:
    """Ask until it is there."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        found = await datasets.profile(table, target, wait_seconds=20)
        if isinstance(found, DatasetProfile):
            return found
    raise AssertionError("the profile was never done")


def a_table(rows: int = 200) -> str:
    draw = random.Random(5)
    lines = ["mail,age,town,always,left"]
    for i in range(rows):
        town = f"Qxrare{i}" if i % 40 == 0 else draw.choice(["Qxnorth", "Qxsouth"])
        age = "" if i % 10 == 0 else f"{20 + draw.random() * 50:.5f}"
        lines.append(f"qx{i}@mail.example,{age},{town},qxsame,{'yes' if i % 3 else 'no'}")
    return "\n".join([*lines, *lines[-2:]]) + "\n"


async def test_a_profile_tells_columns_target_classes_and_warnings_without_a_raw_cell(
    datasets: Datasets, workspace: Path
) -> None:
    (workspace / "people.csv").write_text(a_table())
    await datasets.add_path("people.csv")
    found = await profiled(datasets, "people", "left")
    assert (found.rows, found.target, found.task, found.proposed_target) == (202, "left", "binary", "left")
    assert {one.label: one.rows for one in found.classes} == {"yes": 133 + 1, "no": 67 + 1}
    columns = {one.name: one for one in found.columns}
    assert [one.kind for one in found.columns] == ["category", "number", "category", "category", "boolean"]
    assert columns["mail"].personal == "mail" and columns["mail"].categories == ()
    assert columns["age"].missing_share == pytest.approx(0.099, abs=0.001)
    numbers = columns["age"].numbers
    assert numbers is not None and all(one == float(f"{one:.2g}") for one in numbers.model_dump().values())
    assert {one.value for one in columns["town"].categories} == {"Qxnorth", "Qxsouth"} and columns["town"].others == 5
    told = json.dumps(found.model_dump(mode="json"))
    assert "Qxrare" not in told and "qx1@" not in told
    assert any("repeat an earlier row" in one for one in found.warnings)
    assert any("'always' has one value in every row" in one for one in found.warnings)
    assert any("'mail' looks like personal data (mail)" in one for one in found.warnings)
    assert (await datasets.get("people")).rows is None, "only a profile without a target tells the rows of the list"

    await profiled(datasets, "people")
    assert (await datasets.get("people")).rows == 202
    with pytest.raises(InputError) as refused:
        await profiled(datasets, "people", "lefd")
    assert refused.value.code == "input.no_such_target" and "'left'" in refused.value.message

    before = {path: path.stat().st_mtime_ns for path in datasets.profiles.folder.rglob("job.json")}
    assert (await profiled(datasets, "people.csv", "left")).model_dump(exclude={"name"}) == found.model_dump(
        exclude={"name"}
    )
    after = {path: path.stat().st_mtime_ns for path in datasets.profiles.folder.rglob("job.json")}
    assert before == after, "the same content is not read again, whatever it is called"

    hosts = [json.loads(path.read_text()) for path in datasets.profiles.folder.rglob("host.json")]
    await datasets.remove("people")
    left = [path for path in datasets.profiles.folder.rglob("*") if path.is_file()]
    assert left == [], "no copy of a removed table is left"
    assert not any(processes.alive(host) for host in hosts)


async def test_who_waits_too_short_is_told_so_and_the_same_call_goes_on(datasets: Datasets, workspace: Path) -> None:
    (workspace / "t.csv").write_text(a_table(60))
    first = await datasets.profile("t.csv", wait_seconds=0.0)
    assert first.state == "profiling" and first.name == "t.csv"
    several = await asyncio.gather(*(profiled(datasets, "t.csv") for _ in range(3)))
    assert {one.rows for one in several} == {62}


async def test_a_table_that_cannot_be_used_is_refused_as_a_run_refuses_it(datasets: Datasets) -> None:
    await datasets.add_inline("ragged", "a,b\n1,2\n3,4,5\n")
    for _ in range(2):
        with pytest.raises(InputError) as refused:
            await profiled(datasets, "ragged")
        assert refused.value.code == "input.ragged"


async def test_a_changed_file_gets_a_profile_of_its_own(datasets: Datasets, workspace: Path) -> None:
    table = workspace / "t.csv"
    table.write_text(a_table(60))
    first = await profiled(datasets, "t.csv")
    table.write_text(a_table(80))
    second = await profiled(datasets, "t.csv")
    assert (first.rows, second.rows) == (62, 82) and first.sha256 != second.sha256
