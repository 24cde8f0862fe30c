"""An attempt opened for evaluation: prepared data, network and ONNX graph as predictors. It scores nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..data.rows import RowEncoder, load
from ..data.rows.interval import Interval
from ..data.table import Prepared, load_prepared, load_rows
from ..data.target import TargetScale
from ..export.session import OnnxModel
from ..models.architecture import Architecture
from ..models.weights import load_network, predict
from .calibration import tempered
from .errors import EvaluationError
from .inputs import Group, Inputs, Predict, Sample
from .problem import Problem


@dataclass(frozen=True)
class Place:
    """Where an attempt's files are.

    Attributes:
        root: the run folder, with `data/`.
        models: the attempt's `models/`: weights.safetensors and, after export, model.onnx, preprocessing.json.
    """

    root: Path
    models: Path


class NetworkPredictor:
    """The trained network as a predictor: members combined, temperature applied, target scale undone.

    It repeats in NumPy what the exported graph does inside, so that comparing the two proves something.
    """

    def __init__(
        self, architecture: Architecture, weights: Path, temperature: float, scale: TargetScale | None
    ) -> None:
        self._network = load_network(architecture, weights)
        self._temperature = temperature
        self._scale = scale

    def __call__(self, inputs: Inputs) -> npt.NDArray[np.floating]:
        """Probabilities float32 (n, classes), or values float64 (n,) in the target's unit."""
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()}
        output = predict(self._network, tensors).numpy()
        if self._scale is not None:
            return self._scale.inverse(output)
        return tempered(output, self._temperature).astype(np.float32)


class Candidate:
    """One attempt of one run, opened.

    Args:
        place: where its files are.
        architecture: the ARCH document.
        dataset: the DATASET document.

    Attributes:
        problem: what is predicted.
        prepared: the encoded table.
        encoder: rows to arrays, and outputs to answers, as they are served.
    """

    def __init__(self, place: Place, architecture: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
        self.place = place
        self.problem = Problem.of(dataset)
        self.prepared: Prepared = load_prepared(place.root)
        self._architecture = Architecture.from_dict(architecture)
        served = place.models / "preprocessing.json"
        self.preprocessing: dict[str, Any] = (
            json.loads(served.read_text("utf-8")) if served.exists() else self.prepared.preprocessing
        )
        self.encoder: RowEncoder = load(self.preprocessing)

    @property
    def scale(self) -> TargetScale | None:
        """The regression target's scale; None for classes."""
        return TargetScale.of(self.preprocessing) if self.problem.regression else None

    @property
    def interval(self) -> Interval | None:
        """The prediction interval, where export set one."""
        return Interval.of(self.preprocessing)

    @cached_property
    def network(self) -> Predict:
        """The trained network."""
        calibration = self.preprocessing.get("calibration") or {}
        temperature = float(calibration.get("temperature", 1.0))
        weights = self.place.models / "weights.safetensors"
        return NetworkPredictor(self._architecture, weights, temperature, self.scale)

    @cached_property
    def onnx(self) -> Predict:
        """The exported graph."""
        return OnnxModel(self.place.models / "model.onnx")

    @property
    def groups(self) -> list[Group]:
        """The raw columns and their encoded inputs."""
        return [
            Group(field["name"], field["kind"], *map(tuple, self.prepared.places(field["name"])))
            for field in self.preprocessing["fields"]
        ]

    def sample(self, split: str, most: int | None = None, seed: int = 0) -> Sample:
        """The rows of a split, or at most `most` of them drawn without replacement (in order).

        Raises:
            EvaluationError: `evaluation.rows` when the split is empty.
        """
        rows = self.prepared.splits[split]
        if not len(rows):
            raise EvaluationError(
                f"the {split} split has no rows",
                code="evaluation.rows",
                fix="give more data or other fractions",
            )
        if most is not None and len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        inputs: dict[str, npt.NDArray[Any]] = {}
        if self.prepared.numbers.shape[1]:
            inputs["numbers"] = np.asarray(self.prepared.numbers[rows])
        if self.prepared.categories.shape[1]:
            inputs["categories"] = np.asarray(self.prepared.categories[rows])
        return Sample(inputs, self.prepared.target[rows], rows)

    def raw(self, rows: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
        """Raw feature values of snapshot rows, {field: values}."""
        return load_rows(self.place.root, rows)

    def encode(self, columns: Mapping[str, list[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Raw columns as the served encoder encodes them, without inputs of no width."""
        arrays = self.encoder.encode_columns(columns)
        return {name: array for name, array in arrays.items() if array.shape[1]}
