"""A trained network as one ONNX file that takes encoded arrays and gives final answers, replayed before it is kept.

Members are combined, the temperature is applied and the target's scale is undone inside the graph. It does not encode
rows, and fits neither temperature nor scale.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..data.target import TargetScale
from ..models.network import Predictor, TabularNetwork
from .errors import ExportError
from .session import OnnxModel

OPSET = 17
REPLAYED = (1, 2, 33)
TOLERANCE = 1e-4
_KNOWN_WARNINGS = (
    "You are using the legacy TorchScript-based ONNX export",
    "The feature will be removed. Please remove usage of this function",
)
_LEAST_PROBABILITY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Answer:
    """What turns the network's combined output into the served answer.

    Attributes:
        temperature: divides log probabilities (classes); 1.0 = none.
        scale: the regression target's scale; None for classes.
    """

    temperature: float = 1.0
    scale: TargetScale | None = None


class ServedModule(nn.Module):
    """A network with its answer inside; called with "numbers" and/or "categories" in that order.

    Gives probabilities float32 (n, classes), or values float32 (n,) in the target's unit.
    """

    def __init__(self, network: TabularNetwork, answer: Answer) -> None:
        super().__init__()
        self.predictor = Predictor(network)
        self.answer = answer
        inputs = network.architecture.inputs
        present = (("numbers", inputs.numbers > 0), ("categories", len(inputs.categories) > 0))
        self.names = tuple(name for name, there in present if there)
        self.eval()

    def forward(self, *arrays: Tensor) -> Tensor:
        """Final answers for the rows."""
        output: Tensor = self.predictor(**dict(zip(self.names, arrays, strict=True)))
        if self.answer.scale is not None:
            return _unscaled(output, self.answer.scale)
        if self.answer.temperature != 1.0:
            return (output.clamp_min(_LEAST_PROBABILITY).log() / self.answer.temperature).softmax(-1)
        return output


def _unscaled(output: Tensor, scale: TargetScale) -> Tensor:
    moved = output * scale.std + scale.mean
    if scale.transform == "log1p":
        return moved.exp() - 1.0  # ONNX has no expm1
    if scale.transform == "asinh":
        return (moved.exp() - (-moved).exp()) / 2.0  # the tracing exporter has no sinh
    if scale.transform != "none":
        raise ValueError(f"target transform {scale.transform!r} has no graph form")
    return moved


def export_graph(network: TabularNetwork, answer: Answer, path: Path) -> float:
    """Write `path` atomically, after replaying 1, 2 and 33 rows in ONNX Runtime and torch; returns the largest
    relative difference (see `relative_difference`).

    Raises:
        ExportError: `export.parity` when it is above 1e-4; nothing is written then.
    """
    module = ServedModule(network, answer)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.onnx")
    try:
        partial.write_bytes(_traced(module))
        worst = _replayed(module, OnnxModel(partial))
        if not worst <= TOLERANCE:
            raise ExportError(
                f"the exported graph differs from the network by {worst:.2g} relative, more than {TOLERANCE}",
                code="export.parity",
                fix="report this architecture; it must not be served",
            )
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return worst


def _traced(module: ServedModule) -> bytes:
    output = "value" if module.answer.scale is not None else "probabilities"
    named = [*module.names, output]
    document: Any = io.BytesIO()  # accepted by the tracing exporter, though its annotation names paths only
    with warnings.catch_warnings():
        # The tracing exporter is chosen knowingly: it needs no onnxscript and takes 0.2 s instead of 2 to 9 s.
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=message)
        torch.onnx.export(
            module,
            tuple(random_inputs(module, 2, seed=0)),
            document,
            input_names=list(module.names),
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in named},
            opset_version=OPSET,
            dynamo=False,
        )
    content: bytes = document.getvalue()
    return content


def random_inputs(module: ServedModule, rows: int, seed: int) -> list[Tensor]:
    """Made-up encoded rows: normal numbers and uniform category codes."""
    generator = torch.Generator().manual_seed(seed)
    inputs = module.predictor.network.architecture.inputs
    arrays = []
    if inputs.numbers:
        arrays.append(torch.randn(rows, inputs.numbers, generator=generator))
    if inputs.categories:
        codes = [torch.randint(0, levels, (rows,), generator=generator) for levels in inputs.categories]
        arrays.append(torch.stack(codes, dim=1))
    return arrays


def _replayed(module: ServedModule, graph: OnnxModel) -> float:
    worst = 0.0
    for rows in REPLAYED:
        arrays = random_inputs(module, rows, seed=rows)
        with torch.inference_mode():
            expected = module(*arrays).numpy()
        given = {name: array.numpy() for name, array in zip(module.names, arrays, strict=True)}
        found = graph(given)
        if found.shape != expected.shape:
            return float("inf")
        worst = max(worst, relative_difference(found, expected))
    return worst


def relative_difference(found: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> float:
    """Largest |found - expected| / max(|expected|, floor) over all values; inf when one of them is not finite.

    The floor is a hundredth of the root mean square of `expected`: below it a float32 has no relative precision
    left (a value near zero that is the difference of large ones, a probability of one in a million).
    """
    a, b = found.astype(np.float64), expected.astype(np.float64)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    if not b.size:
        return 0.0
    floor = 0.01 * float(np.sqrt((b**2).mean()))
    return float((np.abs(a - b) / np.maximum(np.maximum(np.abs(b), floor), 1e-30)).max())
