"""Weight files: a network to safetensors and back, and prediction over many rows.

The architecture travels beside the file (`configs/architecture.json`); bin edges are buffers inside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .architecture import Architecture
from .bins import Bins
from .errors import ModelError
from .network import Predictor, TabularNetwork

CHUNK = 4096
"""Rows predicted at once; keeps activations small."""


def save_network(network: TabularNetwork, path: Path) -> bytes:
    """Write all weights and buffers to `path` (temporary file, fsync, rename); returns the bytes written."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    document = save(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return document


def load_network(architecture: Architecture, weights_path: Path) -> TabularNetwork:
    """The network of `architecture` with the weights of `weights_path`, in evaluation mode, on the CPU.

    Raises:
        ModelError: the file is absent, damaged, or belongs to another architecture.
    """
    try:
        state = load_file(weights_path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"weights {str(weights_path)!r} cannot be read: {error}", code="model.weights", fix="train again"
        ) from error
    network = TabularNetwork(architecture, _bins_of(state, architecture))
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[:4]
        raise ModelError(
            f"weights {str(weights_path)!r} belong to another architecture; first differences: {wrong}",
            code="model.weights",
            fix="use the architecture.json that was saved with them",
        )
    network.load_state_dict(state)
    return network.eval()


def _bins_of(state: Mapping[str, Tensor], architecture: Architecture) -> Bins | None:
    """Bin edges inside a state dict; no columns when the network codes none."""
    if architecture.number_embedding == "none":
        return None
    if "columns" not in state:
        none = torch.zeros(0, 1).numpy()
        return Bins(torch.zeros(0, dtype=torch.int64).numpy(), none, none)
    return Bins(state["columns"].numpy(), state["piecewise.left"].numpy(), state["piecewise.inverse"].numpy())


def predict(network: TabularNetwork, inputs: Mapping[str, Tensor]) -> Tensor:
    """Probabilities (n, classes) or standardised values (n,) for `inputs` = {"numbers"?, "categories"?}.

    Members are combined as `Predictor` says. The network is left in evaluation mode.
    """
    predictor = Predictor(network)
    numbers, categories = inputs.get("numbers"), inputs.get("categories")
    first = numbers if numbers is not None else categories
    if first is None:
        raise ModelError("predict got neither 'numbers' nor 'categories'", code="model.inputs")
    parts = []
    with torch.inference_mode():
        for start in range(0, max(1, len(first)), CHUNK):
            rows = slice(start, start + CHUNK)
            parts.append(
                predictor(
                    None if numbers is None else numbers[rows],
                    None if categories is None else categories[rows],
                )
            )
    return torch.cat(parts)
