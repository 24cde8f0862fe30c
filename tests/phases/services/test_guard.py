"""What is known of a run's table as it goes on: names first, then what the profile found, then medians."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from memory.store import Memory
from phases.services.guard import Guard

RUN = "r-20261121-094501-k3f9"
COLUMNS = [{"name": "who", "type": "category"}, {"name": "code", "type": "category"}, {"name": "age", "type": "number"}]
DATASET = {"target": "left", "labels": ["no", "yes"], "features": [{"name": "age", "kind": "number"}]}


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


async def test_a_schema_grows_with_its_run_and_is_then_read_once(memory: Memory, tmp_path: Path) -> None:
    guard = Guard(memory, "aggregates")
    assert (await guard.schema(RUN)).columns == ()
    await memory.put(RUN, "state", {"state": "running", "workspace": str(tmp_path)}, by="test")
    write(tmp_path / "data" / "snapshot.json", {"columns": COLUMNS})
    early = await guard.schema(RUN)
    assert early.names == {"who", "code", "age"} and early.personal == {}

    write(tmp_path / "jobs" / "profile-1" / "result.json", {"personal": {"who": "name", "code": "id"}})
    await memory.put(RUN, "dataset", DATASET, by="test")
    write(tmp_path / "data" / "preprocessing.json", {"fields": [{"name": "age", "kind": "number", "median": 41.7}]})
    privacy = await guard.of(RUN)
    assert privacy.schema.personal == {"who": "name", "code": "id"}
    assert privacy.schema.example("aggregates") == {"age": 42} and privacy.schema.classes == ("no", "yes")
    assert privacy.text("'yes' is 'qx' of 'who'") == "'yes' is '<cell>' of 'who'"

    shutil.rmtree(tmp_path / "data")
    assert await guard.schema(RUN) == privacy.schema


async def test_without_the_profile_the_names_of_columns_decide(memory: Memory, tmp_path: Path) -> None:
    await memory.put(RUN, "state", {"state": "running", "workspace": str(tmp_path)}, by="test")
    write(tmp_path / "data" / "snapshot.json", {"columns": [{"name": "e-mail", "type": "category"}]})
    assert (await Guard(memory, "schema").schema(RUN)).personal == {"e-mail": "mail"}
