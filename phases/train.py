"""Phase 3, train: run the training job, check its checkpoints, export the network, write the server beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from agents.decisions import ArchitectureDesign, ClusterPlan, TrainingRecovery
from memory.errors import JobError
from phases import PHASES
from phases.active_run import ActiveRun
from phases.budget import agree, agreed
from phases.gates import Check, fact, number
from phases.measure import measurement
from phases.progress import leave
from phases.sandbox import ensure_open
from phases.scripts import write_backup_script, write_server, write_training_watch
from phases.steering import KEY
from phases.workspace import read_json, write_json

ROW = PHASES[2]
ROLE: Final = "neural-orchestrator"


async def run(active: ActiveRun, attempt: int, _verdict: str) -> tuple[int, str]:
    """Train this attempt, export it, and leave an attempt folder that can serve."""
    await ensure_open(active)
    design = (await active.known(f"architecture-{attempt}", ArchitectureDesign)).training
    await agree(active, attempt, design)
    folder = active.root / "attempts" / str(attempt)
    await active.put("training-status", "running", by=ROLE)
    job, result = await _train(active, attempt, folder, await agreed(active, attempt, design))
    result = {**result, "steering_missed": await _missed(active, attempt, result)}
    await active.in_thread(write_json, folder / "training-result.json", result)
    await active.put("training-status", "complete", by=ROLE)
    await active.put("training-metrics", result, by=ROLE, provenance={"kind": "measured", "job": job})
    architecture = read_json(folder / "configs" / "architecture.json")
    args = {"architecture": architecture, "attempt_folder": f"attempts/{attempt}"}
    exported = await active.job("export", args, name=f"export-{attempt}")
    await active.in_thread(write_server, active.root, attempt)
    await active.in_thread(write_backup_script, active.root)
    await active.put("backup-script", "scripts/backup-checkpoints.sh", by=ROLE)
    patience = read_json(folder / "configs" / "training.json")["patience"]
    watched = await active.in_thread(write_training_watch, active.root, patience)
    await active.put("monitoring", watched, by=ROLE)
    await leave(active, ROW, attempt, _gate(active, attempt, result, exported), job=job)
    return attempt, ""


async def _train(active: ActiveRun, attempt: int, folder: Path, training: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The training job's name and result; after trouble the recovery decides, at most a few times."""
    architecture = read_json(folder / "configs" / "architecture.json")
    cluster = await active.known("cluster", ClusterPlan)
    tries = 0
    while True:
        job = f"train-{attempt}" if not tries else f"train-{attempt}-{tries}"
        await active.put("training-job-id", job, by=ROLE)
        await active.in_thread(write_json, folder / "configs" / "training.json", training)
        args = {"architecture": architecture, "training": training, "attempt_folder": f"attempts/{attempt}"}
        try:
            return job, await active.job("train", args, name=job, workers=cluster.workers, device=cluster.device)
        except JobError as error:
            context = {"error": error.as_dict(), "tries": tries, "checkpoint": any(folder.glob("checkpoints/*.json"))}
            tries += 1
            key = f"recovery-{attempt}-{tries}"
            recovery = await active.decide(key, TrainingRecovery, ROLE, context)
            if recovery.action == "give_up":
                raise
            training = _adjusted(training, recovery)
            if not (active.root / "jobs" / f"train-{attempt}-{tries}").exists():  # other settings, other checkpoints
                await active.in_thread(shutil.rmtree, folder / "checkpoints", True)


async def _missed(active: ActiveRun, attempt: int, result: dict[str, Any]) -> list[str]:
    """Ids of this attempt's orders that were not obeyed; said, so that nobody takes them for obeyed.

    An order is for the job that ran when it came: one that comes after the last epoch, or whose job failed and was
    followed by another with other settings, changes nothing.
    """
    obeyed = {record["order"] for record in result["steered"]}
    given = [order for order in await active.get(KEY) or [] if order["job"] and order["attempt"] == attempt]
    missed = [order for order in given if order["id"] not in obeyed]
    for order in missed:
        why = f"{order['job']} had trained its last epoch, or had failed"
        await active.emit("steer_missed", order["id"], order=order["id"], job=order["job"], why=why)
    return [order["id"] for order in missed]


def _adjusted(training: dict[str, Any], recovery: TrainingRecovery) -> dict[str, Any]:
    batch = max(1, int(training["batch"] * recovery.batch_factor))
    return {**training, "rate": training["rate"] * recovery.rate_factor, "batch": batch}


def _gate(active: ActiveRun, attempt: int, result: dict[str, Any], exported: dict[str, Any]) -> list[Check]:
    restored = result["restored"]
    parity = measurement(active, exported["parity"]["max_relative"], "relative", job=f"export-{attempt}")
    epochs = measurement(active, result["epochs_run"], "epochs", job=result["seconds"]["provenance"]["job"])
    return [
        number("epochs_run", epochs, ">=", 1.0, why=f"ended by {result['stopped']}"),
        fact(
            "schedule_or_early_stop",
            result["stopped"] in {"early", "schedule", "budget", "control"},
            why=f"training ended by {result['stopped']}, best epoch {result['best_epoch']}",
        ),
        fact(
            "converged",
            bool(result["converged"]),
            blocking=result["stopped"] != "control",
            why="ended by an order of a person" if result["stopped"] == "control" else "stopped early or at its end",
        ),
        fact(
            "checkpoint_restored",
            bool(restored["equal"]),
            why=f"loss {restored['loss_saved']:.6g} saved, {restored['loss_restored']:.6g} restored",
        ),
        number("onnx_parity", parity, "<=", 1e-4, why="ONNX against the network on 1, 2 and 33 rows"),
    ]
