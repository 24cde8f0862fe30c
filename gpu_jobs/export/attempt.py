"""An attempt's weights become its published files: graph, preprocessing, and what validation rows set in them.

It reads train's weights, prepared data and the validation split; never the test split.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.table import Prepared, load_prepared
from ..data.target import TargetScale
from ..evaluation.calibration import Temperature, fit_temperature
from ..evaluation.intervals import Conformal, fit_conformal
from ..models.architecture import Architecture
from ..models.network import TabularNetwork
from ..models.weights import load_network, predict
from .graph import OPSET, REPLAYED, Answer, export_graph


@dataclass(frozen=True)
class Exported:
    """What an export wrote and found.

    Attributes:
        files: "onnx_sha256", "onnx_bytes", "preprocessing_sha256", "weights_sha256".
        worst: largest relative difference in the replay.
        replayed: batch sizes of the replay.
        opset: ONNX operator set.
        inputs: {"numbers": d, "categories": [levels …]}.
        temperature: fitted on validation rows (classes), else None.
        conformal: interval from validation rows (numbers), else None.
        validation_rows: how many rows these came from.
    """

    files: dict[str, Any]
    worst: float
    replayed: tuple[int, ...]
    opset: int
    inputs: dict[str, Any]
    temperature: Temperature | None
    conformal: Conformal | None
    validation_rows: int


def export_attempt(root: Path, models: Path, architecture: Mapping[str, Any], *, seed: int = 0) -> Exported:
    """Write model.onnx and preprocessing.json into `models`, which holds weights.safetensors. Idempotent.

    Raises:
        ModelError: the weights are absent or belong to another architecture.
        ExportError: the graph does not answer as the network.
    """
    arch = Architecture.from_dict(architecture)
    prepared = load_prepared(root)
    network = load_network(arch, models / "weights.safetensors")
    rows = prepared.splits["validation"]
    truth, output = prepared.target[rows], _outputs(network, prepared, rows)
    document = dict(prepared.preprocessing)
    temperature, conformal = None, None
    if arch.task == "regression":
        scale = TargetScale.of(document)
        logarithm, least = scale.transform == "log1p", _least(prepared)
        conformal = fit_conformal(truth, scale.inverse(output), logarithm=logarithm, least=least, seed=seed)
        answer = Answer(scale=scale)
        document["interval"] = conformal.interval if conformal else None
    else:
        temperature = fit_temperature(output, truth.astype(np.int64), seed=seed)
        answer = Answer(temperature=temperature.value)
        document["calibration"] = {"temperature": temperature.value}
    worst = export_graph(network, answer, models / "model.onnx")
    _write(models / "preprocessing.json", json.dumps(document, allow_nan=False, ensure_ascii=False).encode())
    return Exported(
        files=_files(models),
        worst=worst,
        replayed=REPLAYED,
        opset=OPSET,
        inputs={"numbers": arch.inputs.numbers, "categories": list(arch.inputs.categories)},
        temperature=temperature,
        conformal=conformal,
        validation_rows=len(rows),
    )


def _least(prepared: Prepared) -> float | None:
    """Zero where no target that may be looked at is below it."""
    known = [
        float(prepared.target[rows].min()) for name, rows in prepared.splits.items() if name != "test" and len(rows)
    ]
    return 0.0 if min(known) >= 0 else None


def _outputs(network: TabularNetwork, prepared: Prepared, rows: Any) -> Any:
    inputs = {}
    if prepared.numbers.shape[1]:
        inputs["numbers"] = torch.from_numpy(np.ascontiguousarray(prepared.numbers[rows]))
    if prepared.categories.shape[1]:
        inputs["categories"] = torch.from_numpy(np.ascontiguousarray(prepared.categories[rows]))
    return predict(network, inputs).numpy()


def _files(models: Path) -> dict[str, Any]:
    names = {"onnx": "model.onnx", "preprocessing": "preprocessing.json", "weights": "weights.safetensors"}
    found: dict[str, Any] = {
        f"{name}_sha256": hashlib.sha256((models / file).read_bytes()).hexdigest() for name, file in names.items()
    }
    return found | {"onnx_bytes": (models / "model.onnx").stat().st_size}


def _write(path: Path, document: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
