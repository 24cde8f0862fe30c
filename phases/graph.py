"""The durable state machine: five phases and the bounded diagnosis loop, as a LangGraph graph over plain data.

It only orders the phases; what they do is in their modules, and everything they know is in memory.
"""

from __future__ import annotations

import importlib
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from phases import PHASES, Phase
from phases.active_run import ActiveRun, WaitsForPerson
from phases.progress import enter


class State(TypedDict):
    """What a checkpoint holds: the attempt in hand and the verdict so far. Everything else is in memory."""

    attempt: int
    verdict: str


def build(active: ActiveRun, saver: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph of one run; `candidate` is the first half of validate and may lead back to configure."""
    active.ask = _ask
    rows = {row.name: row for row in PHASES}
    graph = StateGraph(State)
    for name in ("setup", "configure", "train", "validate", "deploy"):
        graph.add_node(name, _node(active, rows[name], "run"))
    graph.add_node("candidate", _node(active, rows["validate"], "candidate"))
    graph.add_edge(START, "setup")
    graph.add_edge("setup", "configure")
    graph.add_edge("configure", "train")
    graph.add_edge("train", "candidate")
    graph.add_conditional_edges("candidate", _after_candidate, ["configure", "validate"])
    graph.add_conditional_edges("validate", _after_validate, ["deploy", END])
    graph.add_edge("deploy", END)
    return graph.compile(checkpointer=saver)


def _node(active: ActiveRun, row: Phase, function: str) -> Any:
    async def node(state: State) -> State:
        step = getattr(importlib.import_module(row.module), function)
        await enter(active, row, state["attempt"])
        attempt, verdict = await step(active, state["attempt"], state["verdict"])
        return {"attempt": attempt, "verdict": verdict}

    return node


def _after_candidate(state: State) -> str:
    return "configure" if state["verdict"] == "again" else "validate"


def _after_validate(state: State) -> str:
    return "deploy" if state["verdict"] == "deploy" else str(END)


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    """Park the run on a question; LangGraph runs the node again with the answer."""
    return dict(interrupt(question))


async def drive(active: ActiveRun, saver: BaseCheckpointSaver[Any], answer: dict[str, Any] | None) -> str:
    """Run the graph from its newest checkpoint to its end and return the verdict.

    Args:
        active: the run with its lease.
        saver: checkpoints fenced by the lease's epoch.
        answer: `{"id": interrupt id, "value": …}` when a person has answered the question the run waited for.

    Raises:
        WaitsForPerson: the run asked; the question is in the run's state.
    """
    config: RunnableConfig = {"configurable": {"thread_id": active.id}, "recursion_limit": 60}
    graph = build(active, saver)
    begun = await saver.aget_tuple(config) is not None
    feed: Any = None if begun else {"attempt": 1, "verdict": ""}
    if begun and answer is not None:
        feed = Command(resume={answer["id"]: answer["value"]})
    try:
        result = await graph.ainvoke(feed, config, durability="sync")
    except GraphInterrupt as parked:  # pragma: no cover - LangGraph returns interrupts today; newer ones may raise
        raise WaitsForPerson from parked
    waiting = (await graph.aget_state(config)).interrupts
    if waiting:
        question = {"id": waiting[0].id, **waiting[0].value}
        await active.state(state="waiting", question=question, reason=question.get("text"))
        await active.emit("question", question["id"], question=question)
        raise WaitsForPerson
    return str(result["verdict"])
