"""Keeps a run's folder here and its sandbox elsewhere alike: what changed goes there before a job, and back after it.

Files are compared by SHA-256, and what comes back is in place only when its hash is the one that was told. It knows
nothing of how a sandbox is reached; `local` needs none of it, because there the folder is the sandbox.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from gpu_jobs.backends.protocol import Command, Sandbox
from gpu_jobs.host.files import read_json, write_json
from gpu_jobs.host.manifest import RECORD, Entry, inside, record, scan
from memory.errors import BackendError

CHUNK = 4 << 20
MANIFEST_SECONDS = 3600.0
TRIES = 3


class Mirror:
    """The two places of one run.

    Args:
        sandbox: Where its jobs run.
        python: The interpreter there.
        folder: The run's folder here; what both places agreed on last is kept in its `jobs/mirror.json`.
    """

    def __init__(self, sandbox: Sandbox, python: str, folder: Path) -> None:
        self.sandbox = sandbox
        self._python = python
        self._folder = folder
        self._state = folder / "jobs" / "mirror.json"
        self._one = asyncio.Lock()

    async def send(self) -> list[str]:
        """Make the sandbox's files those that are here, as far as they differ; the names of those that were sent.

        Raises:
            BackendError: The sandbox's.
        """
        async with self._one:
            agreed = self._agreed()
            mine = await asyncio.to_thread(scan, self._folder, agreed)
            there = await self._listed(remove=[name for name in agreed if name not in mine])
            wanted = [name for name, entry in mine.items() if there.get(name) != entry[0]]
            for name in wanted:
                try:
                    data = await asyncio.to_thread((self._folder / name).read_bytes)
                except FileNotFoundError:
                    del mine[name]  # whoever writes here meanwhile has replaced it: it goes with the next job
                    continue
                await self.sandbox.write(name, data)
            self._agree(mine)
            return wanted

    async def fetch(self, job: str) -> list[str]:
        """Bring back what a job that has ended left: outputs, then its record; the names of what came.

        Raises:
            BackendError: The sandbox's; `backend.corrupt`, a file did not come as it was told.
        """
        async with self._one:
            agreed = self._agreed()
            there = await self._listed(job=job)
            mine = await asyncio.to_thread(scan, self._folder, agreed)
            mine |= record(self._folder, job)
            came = sorted((name for name, sha in there.items() if _sha(mine, name) != sha), key=_record_last)
            for name in came:
                await self._bring(name, there[name], job)
            for name in agreed.keys() - there.keys():
                if _sha(mine, name) == agreed[name][0]:
                    (self._folder / name).unlink(missing_ok=True)
            now = await asyncio.to_thread(scan, self._folder, mine)
            self._agree({name: entry for name, entry in now.items() if there.get(name) == entry[0]})
            return came

    async def fetched(self, job: str) -> bool:
        """Whether the record here is the one there: then the outputs are here too."""
        kept = self._folder / "jobs" / job / "exit"
        return kept.is_file() and kept.read_bytes() == await self.sandbox.read(f"jobs/{job}/exit")

    async def tail(self, job: str) -> None:
        """Add what a running job's log has got there to the one here."""
        kept = self._folder / "jobs" / job / "log"
        offset = kept.stat().st_size if kept.is_file() else 0
        more = await self.sandbox.read(f"jobs/{job}/log", offset)
        if more:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("ab") as log:
                log.write(more)

    async def _listed(self, remove: list[str] | None = None, job: str | None = None) -> dict[str, str]:
        asked = json.dumps({"remove": remove or [], "job": job}).encode()
        argv = (self._python, "-P", "-m", "gpu_jobs.host.manifest", self.sandbox.info.root)
        done = await self.sandbox.run(Command(argv=argv, stdin=asked, timeout=MANIFEST_SECONDS))
        if done.code != 0 or done.truncated:
            told = done.stderr.decode(errors="replace").strip()[-500:]
            raise BackendError(f"the sandbox's files cannot be listed: {told}", code="backend.files")
        found: dict[str, str] = json.loads(done.stdout)
        return found

    async def _bring(self, name: str, sha: str, job: str) -> None:
        """One file, whole and checked, or not at all; names are the far side's word and stay in the folder."""
        try:
            path = inside(self._folder, name)
        except ValueError as problem:
            raise BackendError(str(problem), code="backend.path", field="path") from problem
        if name.split("/")[0] == "jobs" and name not in {f"jobs/{job}/{one}" for one in RECORD}:
            raise BackendError(f"{name!r} is no file of job {job!r}", code="backend.path", field="path")
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.mirror.new")
        try:
            for _ in range(TRIES):
                if await self._copy(name, new) == sha:
                    new.replace(path)
                    return
        finally:
            new.unlink(missing_ok=True)
        raise BackendError(f"{name!r} did not come back as it is there, {TRIES} times", code="backend.corrupt")

    async def _copy(self, name: str, new: Path) -> str:
        digest, offset = hashlib.sha256(), 0
        with new.open("wb") as file:
            while chunk := await self.sandbox.read(name, offset, CHUNK):
                digest.update(chunk)
                offset += await asyncio.to_thread(file.write, chunk)
        return digest.hexdigest()

    def _agreed(self) -> dict[str, Any]:
        return read_json(self._state) or {}

    def _agree(self, files: dict[str, Entry]) -> None:
        self._state.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._state, files)


def _sha(files: dict[str, Entry], name: str) -> str | None:
    entry = files.get(name)
    return None if entry is None else entry[0]


def _record_last(name: str) -> tuple[bool, int]:
    """A job's record comes after its outputs, `exit` and `job.json` at the very end: a job with both is done here."""
    folder, _, last = name.rpartition("/")
    return folder.startswith("jobs/"), RECORD.index(last) if last in RECORD else 0
