"""Which backend a name means, and how this state folder labels its sandboxes. It opens nothing itself."""

from __future__ import annotations

from pathlib import Path

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Backend, SandboxRequest
from memory.errors import BackendError
from phases.settings import RunnerSettings, Terms

KINDS = ("local",)


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
    return LocalBackend(LocalSettings(isolation=(terms or settings).isolation), settings.home)


def label(terms: Terms, run: str, root: Path, reads: tuple[str, ...] = ()) -> SandboxRequest:
    """What is asked for a run: its sandbox's owner, root and deadline (a week beyond the longest job).

    `reads` is what its jobs need to read outside the root; without it, what was asked for earlier holds.
    """
    return SandboxRequest(owner=run, root=str(root), seconds=7 * 24 * 3600 + terms.job_hours * 3600, reads=reads)
