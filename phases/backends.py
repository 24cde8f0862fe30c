"""Which backend a name means, and how this state folder labels its sandboxes. It opens nothing itself."""

from __future__ import annotations

from pathlib import Path

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Backend, SandboxRequest
from memory.errors import BackendError
from phases.settings import RunnerSettings, Terms

KINDS = ("local",)


def backend(settings: RunnerSettings, kind: str) -> Backend:
    """The backend of that kind.

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
    return LocalBackend(LocalSettings(kind="local"), settings.home)


def label(terms: Terms, run: str, root: Path) -> SandboxRequest:
    """What is asked for a run: its sandbox's owner, root and deadline (a week beyond the longest job)."""
    return SandboxRequest(owner=run, root=str(root), seconds=7 * 24 * 3600 + terms.job_hours * 3600)
