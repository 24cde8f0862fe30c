"""What is asked of a job and what came of it, as frozen types. `gpu_jobs.dispatch` sends it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$"
KIND = r"^[a-z][a-z0-9_]{0,60}$"


class Limits(BaseModel):
    """What a job may use; `None` means no limit.

    Attributes:
        memory_mb: Memory of the job's whole process tree, in MB, as everywhere 10^6 bytes (shared pages counted once).
        cpu_seconds: Processor time of one process of the job, in seconds (`RLIMIT_CPU`).
        file_mb: Largest file that the job may write, in MB (`RLIMIT_FSIZE`).
        disk_mb: Size of the sandbox's folder while the job runs, in MB.
        seconds: Deadline after the start, in seconds of the wall clock.
        open_files: Open file descriptors of one process (`RLIMIT_NOFILE`).
        processes: Processes of the job's whole tree, looked at a few times a second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_mb: int | None = Field(default=None, gt=0)
    cpu_seconds: int | None = Field(default=None, gt=0)
    file_mb: int | None = Field(default=None, gt=0)
    disk_mb: int | None = Field(default=None, gt=0)
    seconds: float = Field(default=86400, gt=0)
    open_files: int | None = Field(default=None, ge=16)
    processes: int | None = Field(default=None, ge=1)


class JobSpec(BaseModel):
    """One unit of work. The id names the intent: the same id is the same job, however often it is sent.

    Attributes:
        id: A file name, unique within the sandbox.
        kind: The task, a module of `gpu_jobs.tasks`.
        run: The run that owns the job.
        attempt: The attempt within the run, where there is one.
        args: The task's arguments, JSON.
        limits: What the job may use.
        workers: Processes that train together.
        device: `cpu`, `cuda`, `cuda:1`, `mps`.
        seed: Seed of everything random in the job.
        dataset_sha256: Content hash of the data, for the provenance of what is measured.
        code_version: Version of the code, for the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=JOB_ID)
    kind: str = Field(pattern=KIND)
    run: str
    attempt: int | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    limits: Limits = Limits()
    workers: int = Field(default=1, ge=1)
    device: str = "cpu"
    seed: int = 0
    dataset_sha256: str = ""
    code_version: str = ""


class JobOutcome(BaseModel):
    """How a job ended.

    Attributes:
        id: The job.
        state: `done`; `failed` with an error; `cancelled`; `timeout`; `lost` = killed by nobody we know, or
            its machine restarted: run the same spec again.
        code: 0 done, 1 failed, 124 timeout, 130 cancelled, 128 + n killed by signal n.
        result: What the task returned, when done.
        error: `{"code", "message", "field", "fix"}`, unless done.
        seconds: Wall clock of the last start, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    state: Literal["done", "failed", "cancelled", "lost", "timeout"]
    code: int
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    seconds: float = 0.0
