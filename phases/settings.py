"""Settings of the runner and of what needs a person. They are handed down by the composition root."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from memory.store import MemorySettings

LogLevel = Literal["debug", "info", "warning", "error"]


def _half_the_cores() -> int:
    return max(1, (os.cpu_count() or 2) // 2)


class Policy(BaseModel):
    """What needs a person (DESIGN §7): a deployment as a local process is free, everything else asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask_before_deploy: bool = Field(default=False, description="ask a person before a deployment on this machine")
    ask_over_budget: bool | None = Field(
        default=None,
        description="ask a person when training does not fit budget, time limit or memory; default: in a chat only",
    )
    doors: tuple[str, ...] = Field(default=("cli", "mcp"), description="doors whose answers count")
    yes_counts: bool = Field(default=True, description="--yes answers what the policy would ask")


class Terms(BaseModel):
    """What holds for one run, whichever runner drives it: the door that starts or resumes it freezes these into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy = Policy()
    job_memory_mb: int | None = Field(
        default=None, ge=256, description="memory limit of one job; default: most of the machine"
    )
    job_cgroup: str | None = Field(
        default=None, description="folder of a control group given to us: it then holds the memory of the jobs"
    )
    job_hours: float = Field(default=24.0, gt=0, description="deadline of one job in hours")


class RunnerSettings(Terms):
    """How a runner works: where its state is, how many runs at once, when it leaves; and the terms of new runs."""

    home: Path = Field(description="state folder of this user")
    memory: MemorySettings
    runs_at_once: int = Field(
        default_factory=_half_the_cores, ge=1, le=64, description="runs one runner drives at a time"
    )
    idle_seconds: float = Field(default=300.0, gt=0, description="a runner without work leaves after this long")
    log_level: LogLevel = "warning"
    python: str = sys.executable
    tasks: Path | None = Field(default=None, description="folder with further task kinds, for benchmarks and tests")

    def terms(self) -> Terms:
        """The part that a run keeps."""
        return Terms.model_validate({name: getattr(self, name) for name in Terms.model_fields})

    def own(self) -> dict[str, Any]:
        """The part that is the runner's own, as plain data: two runners differ when this differs."""
        return self.model_dump(mode="json", exclude=set(Terms.model_fields))
