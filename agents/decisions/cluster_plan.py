"""`ClusterPlan`: where the run trains and within which limits. It opens nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.decisions.base import AgentDecision


class ClusterLimits(BaseModel):
    """Limits of the run's jobs.

    Attributes:
        memory_mb: Memory of one job's process tree.
        disk_mb: Disk that the run folder may take.
        file_mb: Largest file that a job may write.
        cpu_seconds: Processor time of one process.
        open_files: Files that one process may have open.
        processes: Processes that one job may have.
        seconds: Deadline of the longest job.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_mb: int = Field(ge=256)
    disk_mb: int | None = Field(default=None, ge=64)
    file_mb: int | None = Field(default=None, ge=64)
    cpu_seconds: int | None = Field(default=None, ge=60)
    open_files: int | None = Field(default=None, ge=64)
    processes: int | None = Field(default=None, ge=64)
    seconds: float = Field(gt=0, le=30 * 86400)


class ClusterPlan(AgentDecision):
    """Backend, processes, device and limits, by the neural-orchestrator."""

    agent: Literal["neural-orchestrator"] = "neural-orchestrator"
    backend: Literal["local", "ssh"] = "local"
    workers: int = Field(ge=1, le=64)
    topology: Literal["single", "mesh"]
    device: Literal["cpu", "cuda", "mps"]
    limits: ClusterLimits
    notes: tuple[str, ...] = ()
