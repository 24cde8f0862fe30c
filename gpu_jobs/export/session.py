"""An exported graph run by ONNX Runtime: one thread, no spinning, telemetry off. It encodes no rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ExportError

CHUNK = 4096
"""Rows run at once; keeps activations small."""


class OnnxModel:
    """A graph from a file: encoded inputs to probabilities (n, classes) or values (n,), float32.

    Args:
        path: `model.onnx`.

    Raises:
        ExportError: `export.session` when ONNX Runtime refuses the file.
    """

    def __init__(self, path: Path) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
        import onnxruntime as ort
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile) as error:
            raise ExportError(
                f"{str(path)!r} is not a graph that ONNX Runtime runs: {error}",
                code="export.session",
                fix="export the attempt again",
            ) from error
        self.inputs = tuple(node.name for node in self._session.get_inputs())
        self.output = str(self._session.get_outputs()[0].name)

    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Run any number of rows, in chunks."""
        feed = {name: np.ascontiguousarray(inputs[name]) for name in self.inputs}
        rows = len(next(iter(feed.values())))
        parts = [
            self._session.run(None, {name: array[start : start + CHUNK] for name, array in feed.items()})[0]
            for start in range(0, max(rows, 1), CHUNK)
        ]
        return np.concatenate(parts)
