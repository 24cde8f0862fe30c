"""Starting, reading, answering, cancelling and removing runs, as doors do it; no runner is alive here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.host import processes
from memory.errors import InputError, MemoryConflict, RunError, UsageError
from memory.store import Memory
from phases.request import RunRequest
from phases.services.notes import Notes
from phases.services.runs import Runs, workspace_id
from phases.settings import Policy, RunnerSettings, Terms
from phases.supervisor import records
from phases.supervisor.records import Record, save
from phases.supervisor.request import DeployRequest
from tests.phases.supervisor.conftest import wish


async def test_a_started_run_is_queued_and_says_so(runs: Runs, request_of: RunRequest) -> None:
    view = await runs.start(request_of)
    assert (view.status, view.queue_position) == ("queued", 1)
    assert Path(view.workspace).is_dir()
    assert (Path(request_of.workspace) / "neural" / "latest").resolve() == Path(view.workspace)
    assert [phase.status for phase in view.phases] == ["pending"] * 5


async def test_a_run_is_found_by_its_id_a_prefix_its_end_and_latest(runs: Runs, request_of: RunRequest) -> None:
    run = (await runs.start(request_of)).run_id
    for said in (run, run[:-1], run.removeprefix("r-")[:-1], run.rsplit("-", 1)[1], "latest"):
        assert await runs.resolve(said) == run


async def test_an_ambiguous_or_unknown_id_is_refused_with_what_there_is(runs: Runs, request_of: RunRequest) -> None:
    with pytest.raises(InputError, match="no run in this workspace"):
        await runs.resolve("latest")
    first, second = (await runs.start(request_of)).run_id, (await runs.start(request_of)).run_id
    with pytest.raises(InputError, match="fits 2 runs") as refused:
        await runs.resolve("r-")
    assert first in refused.value.message and second in refused.value.message
    with pytest.raises(InputError, match="no run 'x-unknown'"):
        await runs.resolve("x-unknown")


async def test_a_missing_file_is_refused_before_anything_is_written(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        await runs.start(RunRequest(data=str(tmp_path / "absent.csv"), workspace=str(tmp_path)))
    assert refused.value.code == "input.missing_file"
    assert not (tmp_path / "neural").exists()
    assert await runs.list() == []


async def test_a_recipe_that_does_not_exist_is_refused(runs: Runs, request_of: RunRequest) -> None:
    with pytest.raises(InputError, match="r-nothing") as refused:
        await runs.start(request_of.model_copy(update={"from_run": "r-nothing"}))
    assert refused.value.field == "from"


async def test_only_the_question_that_was_asked_can_be_answered(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    run = (await runs.start(request_of)).run_id
    state = await memory.get(run, "state")
    assert state is not None
    question = {"id": "q1", "kind": "target", "text": "Which column?", "proposal": "left"}
    await memory.put(run, "state", {**state.value, "state": "waiting", "question": question}, by="test")
    view = await runs.get(run)
    assert view.question is not None and view.question.proposal == "left"
    with pytest.raises(RunError, match="does not wait for question 'other'"):
        await runs.answer(run, "other", {"target": "x"}, "cli")
    view = await runs.answer(run, "q1", {"target": "left"}, "cli")
    assert (view.status, view.question) == ("queued", None)


async def test_an_answer_counts_only_from_the_doors_of_the_policy_and_only_when_it_is_a_choice(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    run = (await runs.start(request_of)).run_id
    state = await memory.get(run, "state")
    assert state is not None
    question = {"id": "q1", "kind": "target", "text": "Which column?", "proposal": "left", "choices": ["left", "x"]}
    await memory.put(run, "state", {**state.value, "state": "waiting", "question": question}, by="test")
    with pytest.raises(RunError, match="answers from 'hook' do not count here; those from cli, mcp do"):
        await runs.answer(run, "q1", {"target": "left"}, "hook")
    with pytest.raises(InputError, match="no column 'lefd'") as refused:
        await runs.answer(run, "q1", {"target": "lefd"}, "cli")
    assert refused.value.code == "input.no_such_target" and "'left'" in refused.value.message
    assert (await runs.get(run)).status == "waiting"


async def test_a_run_that_is_served_or_could_be_gone_back_to_cannot_be_removed(
    runs: Runs, memory: Memory, request_of: RunRequest, home: Path
) -> None:
    view = await runs.start(request_of)
    state = await memory.get(view.run_id, "state")
    assert state is not None
    await memory.put(view.run_id, "state", {**state.value, "state": "deployed"}, by="test")
    mine, other = (wish(home, name).model_copy(update={"run_id": name}) for name in (view.run_id, "r-other"))
    for current, previous in ((mine, None), (other, mine)):
        records.save(home, records.Record(name="churn", port=8100, current=current, previous=previous))
        with pytest.raises(RunError, match="is served"):
            await runs.remove(view.run_id)
    assert Path(view.workspace).is_dir()


async def test_a_resumed_run_has_its_unfinished_phases_before_it_again(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    run = (await runs.start(request_of)).run_id
    state = await memory.get(run, "state")
    assert state is not None
    statuses = ("passed", "failed", "skipped", "skipped", "skipped")
    phases = [{**row, "status": status} for row, status in zip(state.value["phases"], statuses, strict=True)]
    ended = {**state.value, "state": "failed", "phases": phases, "error": {"code": "run.os", "message": "it failed"}}
    await memory.put(run, "state", ended, by="test")
    view = await runs.resume(run)
    assert (view.status, view.error) == ("queued", None)
    assert [phase.status for phase in view.phases] == ["passed", "pending", "pending", "pending", "pending"]
    woken = await memory.get(run, "state")
    assert woken is not None and woken.value["resumes"] == 1


async def test_a_live_run_cannot_be_removed_and_an_ended_one_leaves_nothing(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    view = await runs.start(request_of)
    with pytest.raises(RunError, match="is queued"):
        await runs.remove(view.run_id)
    state = await memory.get(view.run_id, "state")
    assert state is not None
    await memory.put(view.run_id, "state", {**state.value, "state": "failed"}, by="test")
    await runs.remove(view.run_id)
    assert not Path(view.workspace).exists()
    assert await memory.runs(workspace_id(request_of.workspace)) == []


async def test_an_ended_run_that_did_well_has_nothing_to_resume(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    run = (await runs.start(request_of)).run_id
    state = await memory.get(run, "state")
    assert state is not None
    await memory.put(run, "state", {**state.value, "state": "deployed"}, by="test")
    with pytest.raises(RunError, match="nothing to resume"):
        await runs.resume(run)


async def test_what_a_person_writes_is_kept_apart_from_what_was_measured(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    notes, run = Notes(memory, runs), (await runs.start(request_of)).run_id
    key = await notes.set("neural/training-metrics", {"accuracy": 0.99})
    assert "/asserted/" in key and run in key
    found = await notes.get(run, "training-metrics", envelope=True)
    assert (found["value"], found["provenance"]["kind"]) == ({"accuracy": 0.99}, "asserted")
    await memory.put(run, "training-metrics", {"accuracy": 0.5}, by="test")
    assert await notes.get("latest", "training-metrics") == {"accuracy": 0.5}
    assert await notes.get(run, "asserted/training-metrics") == await notes.get(run, key) == {"accuracy": 0.99}
    assert (await runs.get(run)).metrics == {}
    assert {"state", "asserted/training-metrics"} <= set(await notes.list(run))
    with pytest.raises(InputError, match="did you mean 'asserted/training-metrics'"):
        await notes.get(run, "asserted/training-metric")


async def test_before_the_first_run_a_workspace_keeps_what_is_asserted_for_it(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    notes = Notes(memory, runs)
    await notes.set("note", "checked by hand")
    assert await notes.get("latest", "note") == "checked by hand"
    assert await notes.list("latest") == ["asserted/note"]
    with pytest.raises(InputError, match="no run yet, has no key 'nothing'"):
        await notes.get("latest", "nothing")
    assert await notes.get((await runs.start(request_of)).run_id, "note") == "checked by hand"


@pytest.mark.parametrize("key", ["queue", "ws/x", "neural/schema", "asserted/runs", "templates"])
async def test_a_key_that_begins_with_a_reserved_word_is_refused(runs: Runs, memory: Memory, key: str) -> None:
    with pytest.raises(UsageError, match="memory keeps for itself"):
        await Notes(memory, runs).set(key, 1)


@pytest.mark.parametrize("said", ["", " "])
async def test_nothing_is_no_part_of_an_id(runs: Runs, request_of: RunRequest, said: str) -> None:
    await runs.start(request_of)
    with pytest.raises(UsageError, match="no run was named"):
        await runs.resolve(said)


async def test_what_destroys_takes_a_part_of_an_id_only_in_its_own_workspace(
    runs: Runs, memory: Memory, request_of: RunRequest, home: Path
) -> None:
    run = (await runs.start(request_of)).run_id
    elsewhere = Runs(memory, str(home), lambda: None, runs.settings)
    assert await elsewhere.resolve(run[:-1]) == run
    for destroy in (elsewhere.remove, elsewhere.cancel):
        with pytest.raises(InputError, match="in this workspace"):
            await destroy(run[:-1])
    assert (await elsewhere.cancel(run)).status == "cancelled"


async def test_latest_leads_to_the_newest_run_that_is_left_or_nowhere(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    first, second = await runs.start(request_of), await runs.start(request_of)
    latest = Path(request_of.workspace) / "neural" / "latest"
    for view, left in ((second, first.run_id), (first, None)):
        await runs.cancel(view.run_id)
        await runs.remove(view.run_id)
        assert (latest.readlink().name if latest.is_symlink() else None) == left


async def test_a_folder_in_the_place_of_latest_is_said_and_nothing_is_left_behind(
    runs: Runs, request_of: RunRequest
) -> None:
    latest = Path(request_of.workspace) / "neural" / "latest"
    latest.mkdir(parents=True)
    with pytest.raises(InputError, match="latest' is in the way"):
        await runs.start(request_of)
    assert list(latest.parent.iterdir()) == [latest]


async def test_a_pipe_or_a_device_is_no_data(runs: Runs, request_of: RunRequest, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link, Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file") as refused:
            await runs.start(request_of.model_copy(update={"data": str(path)}))
        assert refused.value.field == "data"


def served(run: str, folder: Path, **changes: Any) -> Record:
    """What the supervisor keeps about a deployment of that run; this process stands for its server."""
    request = DeployRequest(
        name="leavers", version="1.0.0", run_id=run, intent=run, serve=str(folder), models=str(folder),
        example_request={"x": 1}, proof=str(folder), python="python", keep_previous=True,
    )  # fmt: skip
    process = processes.identity(os.getpid())
    return Record(name="leavers", port=8123, status="serving", current=request, process=process).model_copy(
        update=changes
    )


async def test_a_deployment_is_shown_as_it_is_now(
    runs: Runs, memory: Memory, request_of: RunRequest, home: Path
) -> None:
    view = await runs.start(request_of)
    run, folder = view.run_id, Path(view.workspace)
    stale = {"name": "leavers", "url": "http://127.0.0.1:1", "pid": 1, "example_request": {"x": 1}, "run_id": run}
    await memory.put(run, "deployment-view", stale, by="test")

    async def shown() -> tuple[str, str | None, int | None]:
        found = (await runs.get(run)).deployment
        assert found is not None and found.example_request == {"x": 1}
        return found.status, found.url, found.pid

    assert await shown() == ("undeployed", None, None)
    save(home, served(run, folder))
    assert await shown() == ("serving", "http://127.0.0.1:8123", os.getpid())
    save(home, served("r-20260101-000000-aaaa", folder))
    assert await shown() == ("replaced", None, None)
    save(home, served(run, folder, status="stopped"))
    assert await shown() == ("stopped", None, None)
    save(home, served(run, folder, process=None))
    assert await shown() == ("down", None, None)


@pytest.mark.parametrize(
    ("wrong", "field", "told"),
    [({"target": " "}, "target", "names nothing"), ({"name": "latest"}, "name", "means the newest run")],
)
async def test_a_name_that_means_nothing_or_something_else_is_refused(
    runs: Runs, request_of: RunRequest, wrong: dict[str, str], field: str, told: str
) -> None:
    with pytest.raises((UsageError, InputError), match=told) as refused:
        await runs.start(request_of.model_copy(update=wrong))
    assert refused.value.field == field


def door(memory: Memory, request: RunRequest, **terms: Any) -> Runs:
    """The runs service of a door with terms of its own."""
    settings = RunnerSettings(home=memory.settings.home, memory=memory.settings, **terms)
    return Runs(memory, request.workspace, lambda: None, settings)


async def test_a_run_keeps_the_terms_of_its_door_until_a_door_resumes_it(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    strict = door(memory, request_of, policy=Policy(ask_before_deploy=True), job_memory_mb=256, job_hours=1)
    run = (await strict.start(request_of)).run_id

    async def kept() -> Terms:
        found = await memory.get(run, "request")
        assert found is not None
        return RunRequest.model_validate(found.value).terms

    assert await kept() == Terms(policy=Policy(ask_before_deploy=True), job_memory_mb=256, job_hours=1)
    state = await memory.get(run, "state")
    assert state is not None
    await memory.put(run, "state", {**state.value, "state": "failed"}, by="test")
    await runs.resume(run)
    assert await kept() == Terms()


async def test_whose_answers_count_is_a_term_of_the_run(runs: Runs, memory: Memory, request_of: RunRequest) -> None:
    run = (await door(memory, request_of, policy=Policy(doors=("chat",))).start(request_of)).run_id
    state = await memory.get(run, "state")
    assert state is not None
    question = {"id": "q1", "kind": "deploy", "text": "Deploy it?"}
    await memory.put(run, "state", {**state.value, "state": "waiting", "question": question}, by="test")
    with pytest.raises(RunError, match="those from chat do"):
        await runs.answer(run, "q1", {"approve": True}, "cli")


async def test_of_two_doors_that_saw_the_same_state_one_wakes_the_run(
    runs: Runs, memory: Memory, request_of: RunRequest
) -> None:
    run = (await runs.start(request_of)).run_id
    first = await memory.get(run, "state")
    assert first is not None
    await memory.put(run, "state", {**first.value, "state": "failed"}, by="test")
    seen = await memory.get(run, "state")
    assert seen is not None
    await runs.wake(run, seen, {"resumes": 1})
    with pytest.raises(MemoryConflict):
        await runs.wake(run, seen, {"resumes": 2})
    state = await memory.get(run, "state")
    assert state is not None and (state.value["state"], state.value["resumes"]) == ("queued", 1)
    assert len(await memory.queue()) == 1
