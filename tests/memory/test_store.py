"""Values, lists, claims, events and commands: versions, write ids and fences, on a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memory.errors import (
    AssertedOnly,
    MemoryConflict,
    NeuroloomError,
    RunError,
    SchemaRefused,
    StaleEpoch,
    UsageError,
)
from memory.events import Stream
from memory.records import Lease, MemorySettings
from memory.store import Memory, new_run_id, open_memory

from .conftest import LossyProxy, eventually

RUN, WORKSPACE = "r-20261121-094501-k3f9", "0123456789ab"


async def leased(memory: Memory, run: str = RUN) -> Lease:
    lease = await memory.acquire(run)
    assert lease is not None
    return lease


async def test_a_value_comes_back_in_its_envelope(memory: Memory) -> None:
    assert await memory.get(RUN, "config") is None
    value = {"ä": [1, 2.5, None, True, "x\n"], "deep": {"a": {}}, "empty": []}
    put = await memory.put(RUN, "config", value, by="neural-orchestrator", provenance={"job": "j1"})
    assert await memory.get(RUN, "config") == put
    assert (put.version, put.written_by, put.provenance) == (1, "neural-orchestrator", {"job": "j1"})
    assert put.at.endswith("+00:00")
    assert await memory.names(RUN) == ["config"]


async def test_compare_and_set_refuses_a_version_that_moved(memory: Memory) -> None:
    await memory.put(RUN, "config", 1, by="a", expected=0)
    await memory.put(RUN, "config", 2, by="b", expected=1)
    with pytest.raises(MemoryConflict, match="version 2"):
        await memory.put(RUN, "config", 3, by="a", expected=1)
    with pytest.raises(MemoryConflict):
        await memory.put(RUN, "config", 3, by="a", expected=0)
    kept = await memory.get(RUN, "config")
    assert kept is not None
    assert (kept.value, kept.version, kept.written_by) == (2, 2, "b")


async def test_of_racing_writers_with_one_expected_version_exactly_one_wins(memory: Memory) -> None:
    tries = [memory.put(RUN, "config", n, by=str(n), expected=0) for n in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, MemoryConflict) for outcome in outcomes) == 19


async def test_the_same_write_id_is_the_same_write_even_after_others_wrote(memory: Memory) -> None:
    first = await memory.put(RUN, "state", {"n": 1}, by="a", write_id="step-1")
    await memory.put(RUN, "state", {"n": 2}, by="a", write_id="step-2")
    again = await memory.put(RUN, "state", {"n": 1}, by="a", write_id="step-1")
    assert (again.version, again.at) == (first.version, first.at)
    kept = await memory.get(RUN, "state")
    assert kept is not None
    assert (kept.value, kept.version) == ({"n": 2}, 2)


async def test_a_write_whose_reply_was_lost_is_not_written_twice(home: Path, memory: Memory) -> None:
    async with (
        LossyProxy(home) as proxy,
        open_memory(MemorySettings(home=home, url=proxy.url), "runner") as other,
    ):
        for number in range(1, 4):
            await other.put(RUN, "warm", number, by="a")
            proxy.lose_next()
            put = await other.put(RUN, "state", number, by="a", expected=number - 1)
            assert put.version == number
            proxy.lose_next()
            assert await other.append(RUN, "decisions", number, by="a", write_id=f"d{number}") == number
            proxy.lose_next()
            await other.emit(RUN, {"n": number}, event_id=f"e{number}")
        assert proxy.lost == 9
        assert (await other.get(RUN, "decisions")).value == [1, 2, 3]  # type: ignore[union-attr]
    assert len(await memory.events(RUN)) == 3


async def test_a_lost_reply_with_another_writer_in_between_keeps_the_other_write(home: Path, memory: Memory) -> None:
    """The retry of an unnamed write finds its own mark although somebody else has written since."""
    async with (
        LossyProxy(home) as proxy,
        open_memory(MemorySettings(home=home, url=proxy.url), "runner") as other,
    ):
        await other.put(RUN, "warm", 0, by="a")
        proxy.lose_next()
        mine = asyncio.create_task(other.put(RUN, "state", "mine", by="a"))

        async def wrote() -> bool:
            return await memory.get(RUN, "state") is not None

        await eventually(wrote)
        await memory.put(RUN, "state", "theirs", by="b")
        assert (await mine).version == 1
    kept = await memory.get(RUN, "state")
    assert kept is not None
    assert (kept.value, kept.version) == ("theirs", 2)


async def test_a_list_grows_by_one_item_per_write_id(memory: Memory) -> None:
    lease = await leased(memory)
    for number in (0, 1, 1, 2, 0):
        length = await memory.append(
            RUN, "decisions", {"n": number, "quote": '"],'}, by="a", write_id=f"d{number}", lease=lease
        )
        assert length == number + 1
    kept = await memory.get(RUN, "decisions")
    assert kept is not None
    assert [item["n"] for item in kept.value] == [0, 1, 2]
    await memory.put(RUN, "decisions", [{"n": 9, "empty": []}], by="b")
    assert await memory.append(RUN, "decisions", 10, by="a", write_id="d10") == 2
    kept = await memory.get(RUN, "decisions")
    assert kept is not None
    assert kept.value == [{"n": 9, "empty": []}, 10]


async def test_nothing_is_appended_to_what_is_no_list(memory: Memory) -> None:
    await memory.put(RUN, "config", {"a": 1}, by="a")
    with pytest.raises(NeuroloomError, match="not a list"):
        await memory.append(RUN, "config", 1, by="a", write_id="x")


@pytest.mark.parametrize("value", [float("nan"), {"x": float("inf")}, {1, 2}, object(), b"bytes"])
async def test_what_json_cannot_hold_is_refused(memory: Memory, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        await memory.put(RUN, "config", value, by="a")
    assert caught.value.code == "usage.not_json"
    assert await memory.get(RUN, "config") is None


async def test_every_fenced_write_of_a_stale_epoch_is_refused(memory: Memory) -> None:
    old = await leased(memory)
    await memory.put(RUN, "state", "old", by="old", lease=old)
    await memory.release(old)
    new = await leased(memory)
    assert new.epoch == old.epoch + 1
    with pytest.raises(StaleEpoch):
        await memory.put(RUN, "state", "late", by="old", lease=old)
    with pytest.raises(StaleEpoch):
        await memory.append(RUN, "decisions", 1, by="old", write_id="d", lease=old)
    with pytest.raises(StaleEpoch):
        await memory.emit(RUN, {"late": True}, event_id="e", lease=old)
    assert (await memory.get(RUN, "state")).value == "old"  # type: ignore[union-attr]
    assert await memory.get(RUN, "decisions") is None
    assert await memory.events(RUN) == []


async def test_a_lease_is_no_right_to_write_another_run(memory: Memory) -> None:
    with pytest.raises(UsageError, match="no right"):
        await memory.put(new_run_id(), "state", 1, by="a", lease=await leased(memory))


async def test_events_are_kept_once_in_order_and_waited_for(memory: Memory) -> None:
    for number in (0, 1, 1, 2, 0):
        await memory.emit(RUN, {"n": number}, event_id=f"train:{number}")
    found = await memory.events(RUN)
    assert [event["n"] for _, event in found] == [0, 1, 2]
    assert await memory.events(RUN, after=found[0][0], count=1) == [found[1]]
    waiting = asyncio.create_task(memory.events(RUN, after=found[-1][0], block_ms=60_000))
    await memory.emit(RUN, {"n": 3}, event_id="train:3")
    assert [event["n"] for _, event in await waiting] == [3]


async def test_the_event_stream_is_bounded_and_so_is_the_memory_of_its_ids(memory: Memory) -> None:
    stream = Stream(memory._wire, "events", "event-ids", bound=200)
    for at in range(0, 1200, 60):
        await asyncio.gather(*(stream.add(RUN, {"n": n}, str(n), None) for n in range(at, at + 60)))
    found = await memory.events(RUN, count=5000)
    assert 200 <= len(found) <= 400
    assert found[-1][1]["n"] >= 1140
    assert await memory._wire.do("ZCARD", f"neural/{RUN}/event-ids") == 400


async def test_commands_to_a_runner_are_kept_once_and_in_order(memory: Memory) -> None:
    await memory.control(RUN, {"do": "steer", "rate": 0.5}, command_id="c1")
    await memory.control(RUN, {"do": "cancel"}, command_id="c2")
    await memory.control(RUN, {"do": "cancel"}, command_id="c2")
    first, second = await memory.controls(RUN)
    assert [first[1], second[1]] == [{"do": "steer", "rate": 0.5}, {"do": "cancel"}]
    assert await memory.controls(RUN, after=first[0]) == [second]


async def test_a_claim_is_never_read_as_a_value(memory: Memory) -> None:
    metrics: dict[str, Any] = {"accuracy": {"value": 0.99, "unit": "fraction"}}
    key = await memory.assert_value(WORKSPACE, RUN, "training-metrics", metrics, by="chat")
    assert key == f"neural/{RUN}/asserted/training-metrics"
    assert await memory.get(RUN, "training-metrics") is None
    assert await memory.names(RUN) == []
    kept = (await memory.asserted(WORKSPACE, RUN))["training-metrics"]
    assert (kept.value, kept.written_by) == (metrics, "chat")
    assert kept.provenance is not None
    assert kept.provenance["kind"] == "asserted"
    await memory.put(RUN, "training-metrics", {"accuracy": 0.8}, by="runner")
    assert (await memory.get(RUN, "training-metrics")).value == {"accuracy": 0.8}  # type: ignore[union-attr]
    with pytest.raises(UsageError):
        await memory.get(RUN, "asserted/training-metrics")


async def test_a_claim_cannot_be_put_as_a_value(memory: Memory) -> None:
    with pytest.raises(AssertedOnly):
        await memory.put(RUN, "training-metrics", 1, by="chat", provenance={"kind": "asserted", "by": "chat"})
    assert await memory.get(RUN, "training-metrics") is None


async def test_claims_made_before_there_is_a_run_move_into_the_next_one(memory: Memory) -> None:
    key = await memory.assert_value(WORKSPACE, None, "architecture", {"width": 64}, by="chat")
    assert key == f"neural/ws/{WORKSPACE}/asserted/architecture"
    assert await memory.enqueue(RUN, {"data": "x.csv"}, WORKSPACE)
    assert (await memory.asserted(WORKSPACE, RUN))["architecture"].value == {"width": 64}
    assert await memory.asserted(WORKSPACE, None) == {}
    other = new_run_id()
    await memory.enqueue(other, {}, WORKSPACE)
    assert await memory.asserted(WORKSPACE, other) == {}


async def test_runs_are_listed_newest_first_by_workspace_and_over_all(memory: Memory) -> None:
    runs = [f"r-20261121-09450{n}-aaaa" for n in range(4)]
    for place, run in enumerate(runs):
        assert await memory.enqueue(run, {"n": place}, ("ws-even", "ws-odd")[place % 2])
    assert await memory.runs() == runs[::-1]
    assert await memory.runs("ws-even") == [runs[2], runs[0]]
    assert await memory.runs(limit=1) == [runs[3]]
    assert (await memory.get(runs[1], "request")).value == {"n": 1}  # type: ignore[union-attr]


async def test_a_deleted_run_leaves_nothing_and_its_runner_is_refused(memory: Memory) -> None:
    await memory.enqueue(RUN, {}, WORKSPACE)
    taken = await memory.take("one")
    assert taken is not None
    await memory.put(RUN, "state", 1, by="a", lease=taken.lease)
    await memory.emit(RUN, {}, event_id="1")
    await memory.assert_value(WORKSPACE, RUN, "x", 1, by="a")
    other = new_run_id()
    await memory.enqueue(other, {}, WORKSPACE)
    await memory.delete_run(RUN, WORKSPACE)
    assert (await memory.runs(), [row["run"] for row in await memory.queue()]) == ([other], [other])
    with pytest.raises(StaleEpoch):
        await memory.put(RUN, "state", 2, by="a", lease=taken.lease)
    with pytest.raises(RunError, match="no run"):
        await memory.requeue(RUN)
    assert await memory.keep(taken) is False
    assert (await memory.names(RUN), await memory.events(RUN)) == ([], [])


async def test_state_of_a_newer_schema_is_refused_with_the_way_back(settings: MemorySettings, memory: Memory) -> None:
    await memory._wire.do("SET", "neural/schema", 99)
    with pytest.raises(SchemaRefused, match="schema 99") as caught:
        async with open_memory(settings, "door"):
            pass
    assert "NEUROLOOM_HOME" in (caught.value.fix or "")
    assert await memory._wire.do("GET", "neural/schema") == "99"


def test_importing_memory_loads_no_client_and_opening_it_no_graph() -> None:
    code = (
        "import sys, json, memory, memory.errors, memory.records, memory.keys, memory.measurement\n"
        "first = sorted({'redis', 'langgraph', 'torch'} & sys.modules.keys())\n"
        "import memory.store\n"
        "print(json.dumps([first, sorted({'redis', 'langgraph', 'torch', 'numpy'} & sys.modules.keys())]))"
    )
    said = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == [[], ["redis"]]
