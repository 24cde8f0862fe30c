"""The rule of `ClusterPlan`: processes, device and limits from what the machine has. It starts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from agents.decisions.cluster_plan import ClusterLimits, ClusterPlan
from agents.metrics import nearest
from agents.reasoners.rules.validation import REFERENCE_NODES
from agents.reasoners.rules.wording import one_line
from memory.errors import BackendError, UsageError

BACKENDS: Final = ("local", "ssh")
MOST_WORKERS = 64
MEMORY_SHARE = 0.8
"""Share of the machine's memory that one job may take: the rest is for the server, Redis and the person."""
DISK_SHARE = 0.9
"""Share of the free disk that the run's folder may take, for the same reason."""
OPEN_FILES = 4096
PROCESSES = 1024
DAY = 86400.0

Device = Literal["cpu", "cuda", "mps"]


def decide(context: Mapping[str, Any]) -> ClusterPlan:
    """Where and how the run trains.

    Args:
        context: `request` and `machine`: `{"cores", "memory_mb", "disk_free_mb", "gpus": [{"name", "kind":
            "cuda"|"mps"}]}`; a GPU may also be just its name, and one with `usable` false does not count.

    Raises:
        UsageError: `usage.backend` or `usage.workers`.
        BackendError: `backend.no_gpu` when GPUs were asked for and fewer are there, with what there is.
    """
    request, machine = context["request"], context["machine"]
    backend = _backend(str(request.get("backend") or "local"))
    gpus = [gpu for gpu in machine.get("gpus") or () if not isinstance(gpu, Mapping) or gpu.get("usable", True)]
    device, device_why = _device(int(request.get("gpus") or 0), gpus, machine)
    workers, workers_why = _workers(request, device)
    cores = int(machine["cores"])
    notes = (
        (f"{workers} processes share {cores} cores: more processes than cores train slower",) if workers > cores else ()
    )
    return ClusterPlan(
        reason=one_line([f"{workers} process{'es' if workers > 1 else ''} on {device}", device_why, workers_why]),
        evidence={
            "cores": cores,
            "memory_mb": machine["memory_mb"],
            "gpus": [_gpu_name(gpu) for gpu in gpus],
        },
        backend=backend,
        workers=workers,
        topology="mesh" if workers > 1 else "single",
        device=device,
        limits=_limits(machine),
        notes=notes,
    )


def _backend(asked: str) -> Literal["local", "ssh"]:
    for known in BACKENDS:
        if asked == known:
            return known
    raise UsageError(
        f"unknown backend {asked!r}{nearest(asked, BACKENDS)}; valid: {', '.join(BACKENDS)}",
        code="usage.backend",
        field="backend",
        fix=f"choose one of: {', '.join(BACKENDS)}",
    )


def _limits(machine: Mapping[str, Any]) -> ClusterLimits:
    """What one job may take of this machine; generous, so that only a job gone wild meets them."""
    disk = max(64, int(machine["disk_free_mb"] * DISK_SHARE))
    return ClusterLimits(
        memory_mb=max(256, int(machine["memory_mb"] * MEMORY_SHARE)),
        disk_mb=disk,
        file_mb=disk,
        cpu_seconds=int(machine["cores"] * DAY),
        open_files=OPEN_FILES,
        processes=PROCESSES,
        seconds=DAY,
    )


def _device(asked: int, gpus: Sequence[Any], machine: Mapping[str, Any]) -> tuple[Device, str]:
    if asked > len(gpus):
        there = ", ".join(_gpu_name(gpu) for gpu in gpus) or "no GPU"
        raise BackendError(
            f"--gpus {asked} asked for and this machine has {there} ({machine['cores']} cores, "
            f"{machine['memory_mb']:.0f} MB memory)",
            code="backend.no_gpu",
            field="gpus",
            fix=f"ask for --gpus {len(gpus)}" if gpus else "leave --gpus out to train on the CPU",
        )
    if not gpus:
        return "cpu", "no GPU is here"
    kinds = {gpu.get("kind", "cuda") if isinstance(gpu, Mapping) else "cuda" for gpu in gpus}
    return ("cuda" if "cuda" in kinds else "mps"), f"{_gpu_name(gpus[0])} is here"


def _workers(request: Mapping[str, Any], device: Device) -> tuple[int, str]:
    asked, gpus = int(request.get("workers") or 1), int(request.get("gpus") or 0)
    if not 1 <= asked <= MOST_WORKERS:
        raise UsageError(
            f"--workers {asked} must be from 1 to {MOST_WORKERS}",
            code="usage.workers",
            field="workers",
            fix="a worker per core is the most that helps",
        )
    if asked > 1:
        return asked, "as asked (--workers)"
    if gpus > 1 and device == "cuda":
        return gpus, "one process per GPU"
    if request.get("gates") == "reference":
        return REFERENCE_NODES, f"the reference gate asks for {REFERENCE_NODES} nodes"
    return 1, "tables of this kind train fastest in one process"


def _gpu_name(gpu: Any) -> str:
    return str(gpu.get("name", "GPU")) if isinstance(gpu, Mapping) else str(gpu)
