"""The runs service: start, read, steer, answer and remove runs. It enqueues and reads; a runner does the work."""

from __future__ import annotations

import builtins
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from agents.metrics import nearest
from memory.errors import InputError, NeuroloomError, RunError, UsageError
from memory.store import Envelope, Lease, Memory, new_run_id
from phases import fresh_phases
from phases.clock import now
from phases.identity import RUN_ID as RUN_ID
from phases.identity import workspace_id as workspace_id
from phases.notices import leave_notice
from phases.questions import check_answer, ends_the_run
from phases.request import RunRequest
from phases.services.once import run_of
from phases.services.view import build_view
from phases.settings import RunnerSettings
from phases.supervisor.records import served_runs
from phases.views import RunStatus, RunView
from phases.workspace import point_latest

Ensure = Callable[[], None]
MOST_RUNS = 100_000
PAGE = 100
STATUSES: tuple[str, ...] = get_args(RunStatus)


class Runs:
    """Runs of one workspace.

    Args:
        memory: Open memory.
        workspace: Folder of the workspace.
        ensure: Makes sure that a runner is alive (a lock is looked at, nothing more).
        settings: The runner's, for the policy and the state folder.

    With `confined`, as for a chat, a run of another workspace is not there, whole id or not.
    """

    confined = False

    def __init__(self, memory: Memory, workspace: str, ensure: Ensure, settings: RunnerSettings) -> None:
        self.memory, self.workspace, self.ensure = memory, str(Path(workspace).resolve()), ensure
        self.settings = settings

    async def start(self, request: RunRequest, once: str | None = None) -> RunView:
        """Check the request, make the run's folder, write its state and enqueue it; answers at once.

        Args:
            request: What is asked.
            once: An id of the caller's; a second call with it gives the run of the first.

        Raises:
            InputError: a file that is not there, a workspace that cannot be written, a recipe that does not exist.
            UsageError: flags that contradict each other.
        """
        request.check()
        if request.from_run is not None:
            request = request.model_copy(update={"from_run": await self._recipe_run(request.from_run)})
        request = request.model_copy(update={"terms": self.settings.terms()})
        run = run_of(Path(request.workspace), once) if once else new_run_id()
        if once and await self.memory.get(run, "request") is not None:
            return await self.get(run)
        folder = Path(request.workspace) / "neural" / run
        try:
            folder.mkdir(parents=True, exist_ok=once is not None)
            point_latest(Path(request.workspace), run)
        except OSError as error:
            with suppress(OSError):
                folder.rmdir()
            raise InputError(f"the workspace {request.workspace!r} cannot be written: {error.strerror or error}",
                             code="input.workspace", field="workspace",
                             fix="run in a folder of your own") from error  # fmt: skip
        state = {
            "state": "queued",
            "phase": None,
            "attempt": 0,
            "reason": None,
            "phases": fresh_phases(),
            "question": None,
            "error": None,
            "workspace": str(folder),
            "created_at": now(),
            "updated_at": now(),
            "controls_after": "0",
        }
        await self.memory.put(run, "state", state, by=request.door, write_id=f"{run}-created")
        await self.memory.enqueue(run, request.model_dump(mode="json"), workspace_id(request.workspace))
        self.ensure()
        return await self.get(run)

    async def _recipe_run(self, run: str) -> str:
        try:
            return await self.resolve(run)
        except NeuroloomError as error:
            error.field = "from" if error.field == "run" else error.field
            raise

    async def resolve(self, run: str, *, here: bool = False) -> str:
        """The full id of `latest`, an id, or a unique prefix of one.

        Args:
            run: What a person said.
            here: A part of an id means a run of this workspace only, as everything that destroys needs it.

        Raises:
            UsageError: nothing was said.
            InputError: none or several runs match, with the nearest ids.
        """
        if not run.strip():
            raise UsageError("no run was named", code="usage.missing", field="run", fix="list them: neuroloom runs")
        state = await self.memory.get(run, "state") if RUN_ID.fullmatch(run) else None
        if state is not None and not (
            self.confined and str(Path(state.value["workspace"]).parents[1]) != self.workspace
        ):
            return run
        here = here or self.confined
        mine = await self.memory.runs(workspace_id(self.workspace), limit=MOST_RUNS)
        if run == "latest":
            if not mine:
                raise InputError(
                    "there is no run in this workspace yet",
                    code="input.no_such_run",
                    field="run",
                    fix="start one: neuroloom run data.csv --target column",
                )
            return mine[0]
        everywhere = mine if here else list(dict.fromkeys([*mine, *await self.memory.runs(limit=MOST_RUNS)]))
        found = [
            one for one in everywhere if one.startswith(run) or one.startswith(f"r-{run}") or one.endswith(f"-{run}")
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{run!r} fits {len(found)} runs: {', '.join(found[:5])}",
                code="input.ambiguous_run",
                field="run",
                fix="give more of the id",
            )
        raise InputError(
            f"no run {run!r}{' in this workspace' if here else ''}{nearest(run, everywhere)}",
            code="input.no_such_run",
            field="run",
            fix="list them: neuroloom runs",
        )

    async def get(self, run: str, *, here: bool = False) -> RunView:
        """The run as it is now; a live one also makes sure that a runner is there. `here` is that of `resolve`."""
        view = await build_view(self.memory, await self.resolve(run, here=here))
        if view.status in {"queued", "running"}:
            self.ensure()
        return view

    async def list(self, limit: int = 20, offset: int = 0, status: str | None = None) -> Sequence[RunView]:
        """The workspace's runs, newest first: `limit` of them after the first `offset`, of one status or of all.

        Raises:
            UsageError: there is no such status.
        """
        if status is None:
            ids = await self.memory.runs(workspace_id(self.workspace), limit=limit, offset=offset)
        else:
            ids = (await self._of_status(status, offset + limit))[offset:]
        return [await build_view(self.memory, run) for run in ids]

    async def _of_status(self, status: str, most: int) -> builtins.list[str]:
        if status not in STATUSES:
            raise UsageError(
                f"no run can be {status!r}{nearest(status, STATUSES)}",
                code="usage.status",
                field="status",
                fix=f"one of: {', '.join(STATUSES)}",
            )
        found: list[str] = []
        async for run in self.ids():
            if len(found) == most:
                break
            if (await self._state(run)).value["state"] == status:
                found.append(run)
        return found

    async def ids(self) -> AsyncIterator[str]:
        """Every run of the workspace, newest first, read page by page as far as it is asked for."""
        offset = 0
        while page := await self.memory.runs(workspace_id(self.workspace), limit=PAGE, offset=offset):
            for run in page:
                yield run
            offset += len(page)

    async def events(self, run: str, after: str = "0", block_ms: int = 0) -> Sequence[tuple[str, dict[str, Any]]]:
        """Events after a stream position, each with its own position."""
        return await self.memory.events(await self.resolve(run), after, block_ms=block_ms)

    async def newest_event(self, run: str) -> tuple[str, str | None]:
        """The run's full id and the position of its newest event; None before the first."""
        run = await self.resolve(run)
        return run, await self.memory.newest_event(run)

    async def logs(self, run: str) -> Sequence[tuple[str, str]]:
        """`(job, text)` of every job of the run, in the order they were started."""
        folder = Path((await self.get(run)).workspace) / "jobs"
        sent = {log: next(log.parent.glob("job.json"), log) for log in folder.glob("*/log")}
        found = sorted(sent, key=lambda log: sent[log].stat().st_mtime_ns)
        return [(path.parent.name, path.read_text(encoding="utf-8", errors="replace")) for path in found]

    async def cancel(self, run: str, at_once: bool = False) -> RunView:
        """Ask the runner for the run's end; one that no runner holds (queued, waiting) is ended here and now."""
        run = await self.resolve(run, here=True)
        if (await build_view(self.memory, run)).ended:
            return await self.get(run)
        command = {"do": "cancel", "at_once": at_once}
        await self.memory.control(run, command, command_id=uuid.uuid4().hex)
        if (await build_view(self.memory, run)).status in {"queued", "waiting"}:
            await self._end_unheld(run)
        return await self.get(run)

    async def resume(self, run: str) -> RunView:
        """Enqueue a failed or cancelled run again; it goes on from its last checkpoint.

        Raises:
            RunError: the run has nothing to go on with.
        """
        run = await self.resolve(run)
        state = await self._state(run)
        status = state.value["state"]
        if status in {"queued", "running"}:
            return await self.get(run)
        if status == "waiting":
            raise RunError(f"run {run!r} waits for an answer", code="run.waiting", fix=f"neuroloom approve {run}")
        if status not in {"failed", "cancelled"}:
            raise RunError(
                f"run {run!r} is {status}: there is nothing to resume",
                code="run.ended",
                fix=f"start anew with its recipe: neuroloom run DATA --from {run}",
            )
        phases = [dict(phase) for phase in state.value.get("phases", [])]
        for phase in phases:
            if phase["status"] in {"skipped", "failed", "rejected"}:
                phase.update(status="pending", finished_at=None)
        resumes = int(state.value.get("resumes") or 0) + 1
        await self._renew_terms(run)
        await self.wake(run, state, {"error": None, "phases": phases, "resumes": resumes})
        return await self.get(run)

    async def answer(self, run: str, question: str, answer: dict[str, Any], door: str) -> RunView:
        """Answer the question with that id and enqueue the run again.

        Raises:
            RunError: the run waits for no such question, or answers from this door do not count.
            InputError: the answer is none of the choices.
        """
        run = await self.resolve(run)
        state = await self._state(run)
        asked = state.value.get("question") or {}
        if asked.get("id") != question:
            raise RunError(
                f"run {run!r} does not wait for question {question!r}",
                code="run.no_question",
                field="question",
                fix=f"see: neuroloom show {run}",
            )
        check_answer(asked, answer)
        doors = (await self._request(run)).terms.policy.doors
        if door not in doors:
            raise RunError(
                f"answers from {door!r} do not count here; those from {', '.join(doors)} do", code="run.door"
            )
        if ends_the_run(asked, answer):
            return await self.cancel(run)
        value = {"id": question, "value": answer, "door": door, "at": now()}
        await self.memory.put(run, "answer", value, by=door, write_id=f"answer:{question}")
        await self.wake(run, state, {"question": None, "reason": None})
        return await self.get(run)

    async def remove(self, run: str) -> None:
        """Delete an ended run: its memory and its folder.

        Raises:
            RunError: it is still going, or a deployment serves it or would be rolled back to it.
        """
        run = await self.resolve(run, here=True)
        view = await build_view(self.memory, run)
        if not view.ended:
            raise RunError(f"run {run!r} is {view.status}", code="run.alive", fix=f"neuroloom cancel {run}")
        if run in served_runs(self.settings.home):
            raise RunError(
                f"run {run!r} is served, or a deployment would be rolled back to it",
                code="run.served",
                fix="neuroloom deployments; then neuroloom undeploy NAME",
            )
        folder = Path(view.workspace)
        if folder.is_dir():
            shutil.rmtree(folder)
        workspace = folder.parent.parent
        await self.memory.delete_run(run, workspace_id(workspace))
        await self._repoint_latest(workspace, run)

    async def _repoint_latest(self, workspace: Path, gone: str) -> None:
        """`neural/latest` leads to the newest run that is left, or nowhere at all; another's link is left alone."""
        latest = workspace / "neural" / "latest"
        if not latest.is_symlink() or latest.readlink().name != gone:
            return
        left = await self.memory.runs(workspace_id(workspace), limit=MOST_RUNS)
        newest = next((one for one in left if (workspace / "neural" / one).is_dir()), None)
        if newest is None:
            latest.unlink()
        else:
            point_latest(workspace, newest)

    async def report_path(self, run: str) -> Path:
        """The HTML report.

        Raises:
            InputError: the run has none yet.
        """
        view = await self.get(run)
        if view.report is None:
            raise InputError(
                f"run {view.run_id!r} has no report yet: it is {view.status}",
                code="input.no_report",
                field="run",
                fix=f"neuroloom watch {view.run_id}",
            )
        return Path(view.report).with_suffix(".html")

    async def wake(self, run: str, seen: Envelope, changes: dict[str, Any]) -> None:
        """Queue a run again with these changes of its state, unless the state is no longer the one `seen`.

        Raises:
            MemoryConflict: somebody else changed it in between.
        """
        controls = await self.memory.controls(run)
        after = {"controls_after": controls[-1][0]} if controls else {}
        state = {**seen.value, "state": "queued", **after, **changes, "updated_at": now()}
        await self.memory.wake(run, state, expected=seen.version, by="door")
        self.ensure()

    async def _request(self, run: str) -> RunRequest:
        found = await self.memory.get(run, "request")
        return RunRequest.model_validate(found.value if found else None)

    async def _renew_terms(self, run: str) -> None:
        """A resumed run has the policy and job limits of the door that resumes it: a limit may be why it failed."""
        fresh = (await self._request(run)).model_copy(update={"terms": self.settings.terms()})
        await self.memory.put(run, "request", fresh.model_dump(mode="json"), by="door")

    async def _state(self, run: str) -> Envelope:
        state = await self.memory.get(run, "state")
        if state is None:
            raise InputError(f"no run {run!r}", code="input.no_such_run", field="run", fix="list them: neuroloom runs")
        return state

    async def _end_unheld(self, run: str) -> None:
        """Cancel a run that no runner holds, under its lease; a runner that has it by now obeys the command."""
        lease = await self.memory.acquire(run)
        if lease is None:
            return
        try:
            state = dict((await self._state(run)).value)
            if await self._withdraw_wish(run, state, lease):
                return
            if state["state"] in {"queued", "waiting"}:
                error = {"code": "run.cancelled", "message": f"run {run!r} was cancelled", "field": None,
                         "fix": f"neuroloom resume {run}"}  # fmt: skip
                phases = [{**one, "status": _closed(one["status"])} for one in state["phases"]]
                state.update(
                    state="cancelled", error=error, phases=phases, question=None, reason=None, updated_at=now()
                )
                await self.memory.put(run, "state", state, by="door", lease=lease)
                event = {"type": "state", "at": now(), "state": "cancelled", "error": error}
                await self.memory.emit(run, event, event_id=f"state:cancelled:{lease.epoch}", lease=lease)
                leave_notice(self.settings.home, run, state)
        finally:
            await self.memory.release(lease)

    async def _withdraw_wish(self, run: str, state: dict[str, Any], lease: Lease) -> bool:
        """A queued wish to deploy an ended run is withdrawn: the run is again what it was before the wish."""
        wish = await self.memory.get(run, "deploy-request")
        if wish is None or wish.value.get("outcome") is not None or wish.value.get("begun"):
            return False
        error = {"code": "run.cancelled", "message": "the deployment was cancelled", "field": None, "fix": None}
        earlier = wish.value["earlier"]
        ended = {**wish.value, "outcome": {"verdict": earlier["state"], "error": error}}
        await self.memory.put(run, "deploy-request", ended, by="door", lease=lease)
        await self.memory.put(run, "state", {**state, **earlier, "updated_at": now()}, by="door", lease=lease)
        return True


def _closed(status: str) -> str:
    """A phase's status when its run ends: what ran failed, what was to come is skipped."""
    return {"running": "failed", "pending": "skipped"}.get(status, status)
