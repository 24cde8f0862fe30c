"""Settings of the runner and of what needs a person. They are handed down by the composition root."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gpu_jobs.backends.protocol import Isolation
from gpu_jobs.backends.ssh_settings import SshSettings
from memory.records import MemorySettings
from phases.privacy.level import Level

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
    ask_before_backend: bool = Field(
        default=True, description="ask a person before a run's data and jobs go to a machine other than this one"
    )
    yes_counts: bool = Field(default=True, description="--yes answers what the policy would ask")


class PrivacySettings(BaseModel):
    """What may leave through doors other than the command line, and which files those doors may read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level = Field(
        default="aggregates", description="schema, aggregates or samples: how much of the data a chat may be told"
    )
    roots: tuple[Path, ...] = Field(
        default=(), description="folders from which a chat may read tables; default: the current folder"
    )


class DatasetSettings(BaseModel):
    """How large a table may be that is kept by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_mb: int = Field(default=2048, ge=1, description="largest table that is copied or uploaded, in MB")
    inline_kb: int = Field(default=256, ge=1, description="largest table given inside one call, in kB")
    uploads: int = Field(default=16, ge=1, description="uploads that may be open at once")


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
    isolation: Isolation = Field(
        default="none", description="walls around local jobs: bubblewrap, auto (where it works), or none"
    )
    ssh: SshSettings = SshSettings()


class NotifySettings(BaseModel):
    """How a person away from the chat hears that a run ended or asks. Addresses and passwords stay in settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    desktop: bool = Field(default=True, description="a desktop notification, where notify-send is installed")
    webhook: str | None = Field(
        default=None, pattern=r"^https?://\S+$", repr=False, description="address that takes a Slack-like text"
    )
    mail_to: str | None = Field(default=None, pattern=r"^[^@\s,]+@[^@\s,]+$", description="mail address of the person")
    mail_from: str | None = Field(default=None, pattern=r"^[^@\s,]+@[^@\s,]+$", description="sender; default: mail_to")
    smtp_host: str = Field(default="localhost", description="mail server")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="encryption of the mail")
    smtp_user: str | None = Field(default=None, description="login at the mail server")
    smtp_password: str | None = Field(default=None, repr=False, description="password at the mail server")
    seconds: float = Field(default=10.0, gt=0, le=60, description="how long one channel may take")

    def channels(self) -> tuple[str, ...]:
        """Channels that are set up, of `desktop`, `webhook` and `mail`."""
        found = {
            "desktop": self.desktop and shutil.which("notify-send") is not None,
            "webhook": self.webhook is not None,
            "mail": self.mail_to is not None,
        }
        return tuple(name for name, here in found.items() if here)


class RunnerSettings(Terms):
    """How a runner works: where its state is, how many runs at once, when it leaves; and the terms of new runs."""

    home: Path = Field(description="state folder of this user")
    memory: MemorySettings
    runs_at_once: int = Field(
        default_factory=_half_the_cores, ge=1, le=64, description="runs one runner drives at a time"
    )
    idle_seconds: float = Field(default=300.0, gt=0, description="a runner without work leaves after this long")
    notify: NotifySettings = NotifySettings()
    log_level: LogLevel = "warning"
    python: str = sys.executable
    tasks: Path | None = Field(default=None, description="folder with further task kinds, for benchmarks and tests")

    def terms(self) -> Terms:
        """The part that a run keeps."""
        return Terms.model_validate({name: getattr(self, name) for name in Terms.model_fields})

    def own(self) -> dict[str, Any]:
        """The part that is the runner's own, as plain data: two runners differ when this differs."""
        return self.model_dump(mode="json", exclude=set(Terms.model_fields))
