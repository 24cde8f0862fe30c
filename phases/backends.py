"""Which backend a name means, how this state folder labels its sandboxes, and who runs its jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Backend, Sandbox, SandboxInfo, SandboxRequest
from gpu_jobs.backends.ssh import SshBackend
from gpu_jobs.dispatch import HostSettings, Jobs
from gpu_jobs.machine import facts
from gpu_jobs.mirror import Mirror
from gpu_jobs.mirrored import MirroredJobs
from memory.errors import BackendError
from phases.settings import RunnerSettings, Terms

KINDS = ("local", "ssh")


def backend(settings: RunnerSettings, kind: str, terms: Terms | None = None) -> Backend:
    """The backend of that kind.

    Args:
        settings: The runner's.
        kind: One of `KINDS`.
        terms: The run's, where the backend is asked for a run; else the runner's own.

    Raises:
        BackendError: unknown kind, with the kinds there are.
    """
    if kind not in KINDS:
        raise BackendError(
            f"unknown backend {kind!r}; known: {', '.join(KINDS)}",
            code="backend.unknown",
            field="backend",
            fix="use --backend local",
        )
    if kind == "ssh":
        return SshBackend((terms or settings).ssh)
    return LocalBackend(LocalSettings(isolation=(terms or settings).isolation), settings.home)


def label(terms: Terms, run: str, root: Path, reads: tuple[str, ...] = ()) -> SandboxRequest:
    """What is asked for a run: its sandbox's owner, root and deadline (a week beyond the longest job).

    `reads` is what its jobs need to read outside the root; without it, what was asked for earlier holds.
    """
    return SandboxRequest(owner=run, root=str(root), seconds=7 * 24 * 3600 + terms.job_hours * 3600, reads=reads)


def group(info: SandboxInfo, settings: RunnerSettings) -> str | None:
    """The control group for the jobs of a sandbox; inside walls it is closed, and the host's watcher holds memory."""
    return settings.job_cgroup if info.isolation == "none" else None


def elsewhere(request: SandboxRequest) -> SandboxRequest:
    """The same, where the run's folder is not seen: the backend chooses a folder of its own."""
    return request.model_copy(update={"root": None, "reads": ()})


async def open_jobs(place: Backend, settings: RunnerSettings, request: SandboxRequest) -> Jobs:
    """Open a run's sandbox there, and give its jobs; elsewhere the run's folder is mirrored.

    Raises:
        BackendError: the backend's.
    """
    if not isinstance(place, SshBackend):
        return _jobs(await place.open(request), settings)
    await place.sweep()
    sandbox, far = await place.open(elsewhere(request)), await place.place()
    here = _jobs(await backend(settings, "local").open(request), settings)
    mirror = Mirror(sandbox, far.python, Path(str(request.root)))
    return MirroredJobs(mirror, here, HostSettings(python=far.python))


async def machine_of(place: Backend, folder: Path) -> dict[str, Any]:
    """Facts of the machine on which the jobs of that backend run; see `gpu_jobs.machine.facts`."""
    if isinstance(place, SshBackend):
        return {**await place.facts(), "differing": dict((await place.place()).differing)}
    return facts(folder)


def told(there: Mapping[str, Any]) -> str:
    """A machine in one line: its Python, cores, free disk and accelerators."""
    gpus = ", ".join(str(gpu["name"]) for gpu in there["gpus"]) or "no GPU"
    return f"Python {there['python']}, {there['cores']} cores, {there['disk_free_mb']} MB disk free, {gpus}"


def preflight(settings: RunnerSettings) -> str:
    """How the ssh backend's machine answers, in one line, for whoever looks at what works.

    Raises:
        BackendError: why it does not.
    """

    async def ask() -> str:
        place = SshBackend(settings.ssh, waits=())
        began = time.perf_counter()
        try:
            there = await machine_of(place, settings.home)
            took = (time.perf_counter() - began) * 1000
            differing = ", ".join(f"{name} {version}" for name, version in there["differing"].items())
            return f"answered in {took:.0f} ms, {told(there)}" + (f"; other versions: {differing}" if differing else "")
        finally:
            await place.close()

    return asyncio.run(ask())


async def hang_up(place: Backend) -> None:
    """Close what the backend holds open; its sandboxes stay."""
    if isinstance(place, SshBackend):
        await place.close()


def _jobs(sandbox: Sandbox, settings: RunnerSettings) -> Jobs:
    tasks = settings.tasks
    return Jobs(sandbox, HostSettings(tasks=str(tasks) if tasks else None, cgroup=group(sandbox.info, settings)))
