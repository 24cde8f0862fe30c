"""Phase 3, train: run the training job, check its checkpoints, export the network, write the server beside it."""

from __future__ import annotations

from typing import Any, Final

from agents.decisions import ClusterPlan
from agents.metrics import BY_NAME
from agents.reasoners.rules.deployment import slug
from phases import PHASES
from phases.active_run import ActiveRun
from phases.gates import Check, fact, number
from phases.measure import measurement
from phases.progress import leave
from phases.sandbox import ensure_open
from phases.scripts import write_backup_script, write_monitoring, write_server
from phases.workspace import read_json

ROW = PHASES[2]
ROLE: Final = "neural-orchestrator"


async def run(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Train this attempt, export it, and leave an attempt folder that can serve."""
    await ensure_open(active)
    folder = active.root / "attempts" / str(attempt)
    architecture, training = (read_json(folder / "configs" / f"{name}.json") for name in ("architecture", "training"))
    cluster = await active.known("cluster", ClusterPlan)
    job = f"train-{attempt}"
    await active.put("training-job-id", job, by=ROLE)
    await active.put("training-status", "running", by=ROLE)
    args = {"architecture": architecture, "training": training, "attempt_folder": f"attempts/{attempt}"}
    result = await active.job("train", args, name=job, workers=cluster.workers, device=cluster.device)
    await active.put("training-status", "complete", by=ROLE)
    await active.put("training-metrics", result, by=ROLE, provenance={"kind": "measured", "job": job})
    args = {"architecture": architecture, "attempt_folder": f"attempts/{attempt}"}
    exported = await active.job("export", args, name=f"export-{attempt}")
    await active.in_thread(write_server, active.root, attempt)
    await active.in_thread(write_backup_script, active.root)
    await active.put("backup-script", "scripts/backup-checkpoints.sh", by=ROLE)
    dataset = read_json(folder / "configs" / "dataset.json")
    better = BY_NAME[dataset["metric"]].higher_is_better
    watched = await active.in_thread(write_monitoring, active.root, slug(dataset["name"]), dataset["metric"], better)
    await active.put("monitoring", watched, by=ROLE)
    await leave(active, ROW, attempt, _gate(active, result, exported), job=job)
    return attempt, ""


def _gate(active: ActiveRun, result: dict[str, Any], exported: dict[str, Any]) -> list[Check]:
    restored = result["restored"]
    parity = measurement(active, exported["parity"]["max_relative"], "relative", job="export")
    epochs = measurement(active, result["epochs_run"], "epochs", job="train")
    return [
        number("epochs_run", epochs, ">=", 1.0, why=f"ended by {result['stopped']}"),
        fact(
            "schedule_or_early_stop",
            result["stopped"] in {"early", "schedule", "budget", "control"},
            why=f"training ended by {result['stopped']}, best epoch {result['best_epoch']}",
        ),
        fact("converged", bool(result["converged"]), why="the loss ended finite and below its start"),
        fact(
            "checkpoint_restored",
            bool(restored["equal"]),
            why=f"loss {restored['loss_saved']:.6g} saved, {restored['loss_restored']:.6g} restored",
        ),
        number("onnx_parity", parity, "<=", 1e-4, why="ONNX against the network on 1, 2 and 33 rows"),
    ]
