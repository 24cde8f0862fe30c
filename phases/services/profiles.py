"""Profiles of tables, made by the snapshot and profile jobs in a sandbox of their own, kept by content. It parses none.

The sandbox is `neural/datasets/.profiles/<key>/`, the kept profiles are in `…/results/`.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpu_jobs.backends.protocol import SandboxRequest
from gpu_jobs.dispatch import HostSettings, Jobs
from gpu_jobs.spec import JobOutcome, JobSpec, Limits
from memory.errors import InputError, JobError
from phases.backends import backend, group
from phases.datasets import CategoryView, ClassView, ColumnView, DatasetProfile, NumbersView, Profiling
from phases.privacy.numbers import rounded
from phases.services.dataset_store import write_whole
from phases.settings import RunnerSettings
from phases.workspace import read_json, sha256

FORM = 1  # of a kept profile; another number makes it anew
LONGEST_WAIT = 45.0
SANDBOX_SECONDS = 86_400.0
IDLE_SECONDS = 20.0
KEPT_SANDBOXES = 8
MOST_LOST = 5
NOTES = {
    "no_header": "the table has no header line; its columns were given names",
    "nested": "columns that hold lists or bytes were left out",
    "missing_markers": "markers of missing values were read as missing",
    "mixed": "values that do not fit the column's kind were read as missing",
    "infinite": "infinite values were read as missing",
}


class Profiles:
    """Makes and keeps profiles.

    Args:
        folder: Where sandboxes and profiles are kept.
        settings: The runner's, for the state folder and the jobs' limits.
    """

    def __init__(self, folder: Path, settings: RunnerSettings) -> None:
        self.folder, self.settings = folder, settings
        self._hashes: dict[tuple[str, int, int, int], str] = {}

    async def profile(
        self, file: Path, name: str, target: str | None, wait_seconds: float
    ) -> DatasetProfile | Profiling:
        """The profile of a table, or the word that it is still being made: the same call goes on with it.

        Args:
            file: The table.
            name: What to call it.
            target: The column to be predicted, if it is known.
            wait_seconds: How long to wait, up to 45 s.

        Raises:
            InputError: the table cannot be used, as a run would say it.
            JobError: a job failed.
        """
        began = time.monotonic()
        content = await self._hash(file)
        if (kept := self._kept(content, target, name)) is not None:
            return kept
        try:
            async with asyncio.timeout(max(0.1, min(wait_seconds, LONGEST_WAIT))):
                found = await self._made(file, name, target, content)
        except TimeoutError:
            return Profiling(name=name, seconds=round(time.monotonic() - began, 1))
        place = self._place(content, target)
        place.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(write_whole, place, found.model_dump_json().encode())
        await self._prune()
        return found

    def rows(self, content: str) -> int | None:
        """Rows of a table with that hash, where it was profiled without a target."""
        kept = self._kept(content, None, "")
        return None if kept is None else kept.rows

    async def forget(self, file: Path, content: str) -> None:
        """Delete what was made of a table: its sandbox, and every kept profile."""
        await self._destroy(self.folder / _key(file, content))
        for path in (self.folder / "results").glob(f"{content[:32]}*.json"):
            path.unlink(missing_ok=True)

    async def _made(self, file: Path, name: str, target: str | None, content: str) -> DatasetProfile:
        key = _key(file, content)
        tasks = str(self.settings.tasks) if self.settings.tasks else None
        request = SandboxRequest(
            owner=f"dataset-{key}",
            root=str(self.folder / key),
            seconds=SANDBOX_SECONDS,
            reads=tuple(path for path in (str(file), tasks) if path),
        )
        sandbox = await backend(self.settings, "local").open(request)
        host = HostSettings(idle_seconds=IDLE_SECONDS, tasks=tasks, cgroup=group(sandbox.info, self.settings))
        jobs = Jobs(sandbox, host)
        snapshot = await self._result(jobs, _spec(self.settings, key, "snapshot", "snapshot", {"source": str(file)}))
        if snapshot["source"][0]["sha256"] != content:
            raise InputError(
                f"{file.name!r} was written to while it was read",
                code="input.changing",
                field="data",
                fix="wait until it is whole, then ask again",
            )
        job = f"profile-{_short(target)}" if target is not None else "profile"
        args = {"target": target, "describe": True}
        profile = await self._result(jobs, _spec(self.settings, key, job, "profile", args))
        return profile_view(name, content, snapshot, profile)

    async def _result(self, jobs: Jobs, spec: JobSpec) -> dict[str, Any]:
        """The job's result; one that failed earlier is tried again, one whose process was killed a few times."""
        outcome = await jobs.run(spec, restart=True)
        for _ in range(MOST_LOST):
            if outcome.state != "lost":
                break
            outcome = await jobs.run(spec)
        if outcome.result is None:
            raise _error(outcome)
        return outcome.result

    async def _hash(self, file: Path) -> str:
        found = file.stat()
        key = (str(file), found.st_size, found.st_mtime_ns, found.st_ino)
        if key not in self._hashes:
            self._hashes[key] = await asyncio.to_thread(sha256, file)
        return self._hashes[key]

    def _place(self, content: str, target: str | None) -> Path:
        about = "" if target is None else f"-{_short(target)}"
        return self.folder / "results" / f"{content[:32]}{about}.{FORM}.json"

    def _kept(self, content: str, target: str | None, name: str) -> DatasetProfile | None:
        try:
            found = DatasetProfile.model_validate(read_json(self._place(content, target)))
        except (OSError, ValueError, ValidationError):
            return None
        same = found.sha256 == content and found.target == target
        return found.model_copy(update={"name": name}) if same else None

    async def _prune(self) -> None:
        """Keep the newest sandboxes: each holds a copy of its table."""
        ages = {}
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # somebody else was quicker
                if path.name != "results":
                    ages[path] = path.stat().st_mtime
        for path in sorted(ages, key=lambda one: ages[one], reverse=True)[KEPT_SANDBOXES:]:
            await self._destroy(path)

    async def _destroy(self, folder: Path) -> None:
        await backend(self.settings, "local").destroy(f"dataset-{folder.name}.main")
        await asyncio.to_thread(shutil.rmtree, folder, True)


def _spec(settings: RunnerSettings, key: str, job: str, kind: str, args: dict[str, Any]) -> JobSpec:
    limits = Limits(memory_mb=settings.job_memory_mb, seconds=settings.job_hours * 3600)
    return JobSpec(id=job, kind=kind, run=f"dataset-{key}", args=args, limits=limits)


def _key(file: Path, content: str) -> str:
    return hashlib.sha256(f"{content}\0{file}".encode()).hexdigest()[:16]


def _short(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:12]


def _error(outcome: JobOutcome) -> InputError | JobError:
    error = outcome.error or {"code": f"job.{outcome.state}", "message": f"the profile ended {outcome.state}"}
    kind = InputError if str(error["code"]).startswith("input.") else JobError
    return kind(error["message"], code=error["code"], field=error.get("field"), fix=error.get("fix"))


def profile_view(name: str, content: str, snapshot: Mapping[str, Any], profile: Mapping[str, Any]) -> DatasetProfile:
    """The profile of a table with that hash, from the results of its two jobs; every figure is rounded."""
    target = profile["target"] or {}
    best = next(iter(profile["target_candidates"]), None)
    return DatasetProfile(
        name=name,
        sha256=content,
        rows=snapshot["rows"],
        columns=tuple(_column(one) for one in profile["described"]),
        target=target.get("name"),
        task=target.get("suggested_task"),
        proposed_target=best["column"] if best else None,
        reason=best["reason"] if best else None,
        classes=tuple(ClassView(label=str(label), rows=rows) for label, rows in target.get("classes") or ()),
        warnings=tuple(_warnings(snapshot, profile)),
    )


def _column(found: Mapping[str, Any]) -> ColumnView:
    numbers = found["numbers"]
    kept = {
        "missing_share": round(found["missing_share"], 4),
        "numbers": NumbersView(**{key: rounded(one) for key, one in numbers.items()}) if numbers else None,
        "categories": tuple(CategoryView(value=value, rows=rows) for value, rows in found["categories"]),
    }
    return ColumnView.model_validate({**found, **kept})


def _warnings(snapshot: Mapping[str, Any], profile: Mapping[str, Any]) -> Iterable[str]:
    """What a person should know before a run, without a cell."""
    yield from (leak["why"] for leak in profile["leaks"])
    if repeated := profile["duplicates"]["rows"]:
        yield f"{repeated:,} rows repeat an earlier row in all columns"
    yield from (f"{name!r} has one value in every row" for name in profile["constant"])
    yield from (f"{name!r} has no value at all" for name in profile["all_missing"])
    yield from (f"{name!r} only names rows: it is left out as an input" for name in profile["identifiers"])
    for wide in profile["high_cardinality"]:
        yield f"{wide['column']!r} has {wide['distinct']:,} different categories"
    for name, kind in profile["personal"].items():
        yield f"{name!r} looks like personal data ({kind}): its values are not shown"
    for note in snapshot["notes"]:
        if (told := NOTES.get(note["code"])) is not None:
            where = f"{note['column']!r}: " if note["column"] else ""
            count = f" ({note['count']:,})" if note["count"] else ""
            yield f"{where}{told}{count}"
