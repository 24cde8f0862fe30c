"""The model without a server: one row encoded, predicted and decoded here, timed. It opens no socket."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any

from gpu_jobs.data.rows import load


def seconds_per_row(model: Path, preprocessing: dict[str, Any], row: dict[str, Any], times: int = 200) -> float:
    """Median seconds from a raw row to its prediction.

    Args:
        model: the ONNX file.
        preprocessing: the document beside it.
        row: a raw row.
        times: how often it is predicted, after a warm-up.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # the official wheels report home without it
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    encoder = load(preprocessing)
    taken = []
    for _ in range(times + 20):
        begun = time.perf_counter()
        encoded = encoder.encode_one(row)
        encoder.decode(session.run(None, {name: encoded[name] for name in names})[0])
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[20:])
