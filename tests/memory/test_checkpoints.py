"""LangGraph's own conformance suite on the plain Redis saver, and its fence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.graph import END, START, StateGraph

from memory.checkpoints import PlainRedisSaver
from memory.embedded import EmbeddedRedis
from memory.errors import StaleEpoch
from memory.records import Lease, MemorySettings
from memory.store import Memory
from memory.wire import Wire

from .conftest import server_of

RUN = "r-20261121-094501-k3f9"


async def conformance(home: Path, fenced: bool) -> tuple[int, list[str]]:
    settings = MemorySettings(home=home)

    @checkpointer_test("PlainRedisSaver")
    async def plain() -> AsyncIterator[PlainRedisSaver]:
        wire = Wire(settings, "door", decode=False)
        try:
            await wire.do("FLUSHALL")
            epoch = int(await wire.do("INCR", f"neural/{RUN}/epoch"))
            yield PlainRedisSaver(wire, Lease(RUN, "x", epoch) if fenced else None)
        finally:
            await wire.close()

    results = (await validate(plain)).results.values()
    failures = [str(failure) for row in results for failure in row.failures or []]
    return sum(row.tests_passed for row in results), failures


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("major", [6, 7])
async def test_the_saver_passes_all_81_conformance_checks_with_a_fence(home: Path, major: int) -> None:
    EmbeddedRedis(home, server_of(major)).ensure()
    assert await conformance(home, fenced=True) == (81, [])


async def test_the_saver_passes_all_81_conformance_checks_without_a_fence(home: Path) -> None:
    assert await conformance(home, fenced=False) == (81, [])


async def test_a_stale_runner_cannot_write_checkpoints_or_pending_writes(memory: Memory) -> None:
    lease = await memory.acquire(RUN)
    assert lease is not None
    old = memory.saver(lease)
    config: Any = {"configurable": {"thread_id": RUN, "checkpoint_ns": ""}}
    stored = await old.aput(config, empty_checkpoint(), {"source": "loop", "step": 1}, {})
    await memory.release(lease)
    assert await memory.acquire(RUN) is not None
    with pytest.raises(StaleEpoch):
        await old.aput(stored, empty_checkpoint(), {}, {})
    with pytest.raises(StaleEpoch):
        await old.aput_writes(stored, [("x", 1)], "task")
    assert len([found async for found in old.alist(config)]) == 1


class Counted(TypedDict):
    finished: list[str]


async def test_a_graph_goes_on_after_its_last_finished_node(memory: Memory) -> None:
    begun: list[str] = []
    broken = True

    async def first(state: Counted) -> Counted:
        begun.append("first")
        return {"finished": [*state["finished"], "first"]}

    async def second(state: Counted) -> Counted:
        begun.append("second")
        if broken:
            raise ValueError("the runner dies here")
        return {"finished": [*state["finished"], "second"]}

    graph = StateGraph(Counted)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    config: Any = {"configurable": {"thread_id": RUN}}
    lease = await memory.acquire(RUN)
    with pytest.raises(ValueError, match="dies here"):
        compiled = graph.compile(checkpointer=memory.saver(lease))
        await compiled.ainvoke({"finished": []}, config, durability="sync")
    assert lease is not None
    await memory.release(lease)
    broken = False
    again = graph.compile(checkpointer=memory.saver(await memory.acquire(RUN)))
    assert await again.ainvoke(None, config, durability="sync") == {"finished": ["first", "second"]}
    assert begun == ["first", "second", "second"]


async def test_pruning_keeps_the_newest_checkpoint_of_thousands(memory: Memory) -> None:
    saver = memory.saver(None)
    config: Any = {"configurable": {"thread_id": RUN, "checkpoint_ns": ""}}
    for number in range(4100):
        checkpoint = empty_checkpoint() | {"id": f"{number:08}"}
        await saver.aput(config, checkpoint, {"step": number}, {})
    await saver.aprune([RUN])
    left = [found async for found in saver.alist(config)]
    assert [found.checkpoint["id"] for found in left] == ["00004099"]
