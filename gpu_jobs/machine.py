"""Facts of a machine: cores, memory, disk, accelerators, versions. Read anew each time, never guessed."""

from __future__ import annotations

import os
import platform
import shutil
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from gpu_jobs.backends.devices import find_devices

MB = 1_000_000


def facts(workspace: Path) -> dict[str, Any]:
    """Cores, memory and free disk in MB, accelerators, and versions, as plain data."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_mb": psutil.virtual_memory().total // MB,
        "memory_free_mb": psutil.virtual_memory().available // MB,
        "disk_free_mb": shutil.disk_usage(workspace).free // MB,
        "gpus": [device.model_dump(mode="json") for device in find_devices()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
    }


@cache
def version_of(package: str) -> str:
    """The version of a distribution, as it was when this process first asked.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    return metadata.version(package)


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
