"""Job `export`: a trained attempt becomes model.onnx with its preprocessing. It holds no training logic."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Write attempts/<n>/models/{model.onnx, preprocessing.json} beside weights.safetensors.

    Args: "architecture", "attempt_folder".
    """
    from gpu_jobs.export.attempt import export_attempt

    models = job.path(job.args["attempt_folder"]) / "models"
    exported = export_attempt(job.root, models, job.args["architecture"], seed=job.seed)
    document: dict[str, Any] = {
        **exported.files,
        "opset": exported.opset,
        "parity": {"rows": list(exported.replayed), "max_relative": exported.worst},
        "inputs": exported.inputs,
        "calibration": None,
        "interval": None,
    }
    measure = partial(job.measure, split="validation")
    rows = exported.validation_rows
    if exported.temperature is not None:
        document["calibration"] = {
            "temperature": exported.temperature.value,
            "applied": exported.temperature.applied,
            "log_loss_before": measure(exported.temperature.before, "nats", rows=rows),
            "log_loss_after": measure(exported.temperature.after, "nats", rows=rows),
        }
    if exported.conformal is not None:
        found = exported.conformal
        widths = {"half_width": "target", "factor": "ratio"}
        document["interval"] = {
            "level": found.interval["level"],
            **{
                w: measure(found.interval[w], unit, rows=found.rows)
                for w, unit in widths.items()
                if w in found.interval
            },
            "coverage": measure(found.covered, "fraction", rows=found.checked),
        }
    return document
