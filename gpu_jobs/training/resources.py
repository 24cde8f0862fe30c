"""What this process uses: resident memory, its peak, and CPU time. Readings only; it limits nothing."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import torch


def memory_mb() -> float:
    """Resident memory now, in MB (10^6 bytes); the peak where /proc is absent."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return peak_memory_mb()
    return pages * resource.getpagesize() / 1e6


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB.

    From /proc where there is one: `ru_maxrss` also holds the peak of the process that started this one.
    """
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def gpu_percent(device: torch.device) -> float | None:
    """Busy share of the GPU in percent, or None where there is no reading."""
    if device.type != "cuda":
        return None
    try:
        return float(torch.cuda.utilization(device))
    except (ModuleNotFoundError, RuntimeError):
        return None


class CpuMeter:
    """CPU percent of this process between two readings; 200 is two cores busy."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> float:
        """Percent since the last reading."""
        wall, cpu = time.perf_counter(), time.process_time()
        percent = 100.0 * (cpu - self._cpu) / max(1e-9, wall - self._wall)
        self._wall, self._cpu = wall, cpu
        return percent
