"""The network computes what its docstrings say, in torch and in ONNX, and its weights survive a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from gpu_jobs.models.architecture import Architecture, Inputs
from gpu_jobs.models.bins import Bins, compute_bins
from gpu_jobs.models.errors import ModelError
from gpu_jobs.models.network import Predictor, TabularNetwork, combine
from gpu_jobs.models.weights import load_network, predict, save_network

ROWS = 500


def rows() -> tuple[Tensor, Tensor]:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(ROWS, 5)).astype(np.float32)
    numbers[:, 3] = numbers[:, 3] > 0
    numbers[:, 4] *= generator.random(ROWS) > 0.9
    categories = np.stack([generator.integers(0, 40, ROWS), generator.integers(0, 7, ROWS)], 1)
    return torch.from_numpy(numbers), torch.from_numpy(categories)


def network(**changes: Any) -> TabularNetwork:
    numbers, _ = rows()
    settings: dict[str, Any] = {"number_embedding": "piecewise", "width": 16, "depth": 2, "members": 3, **changes}
    torch.manual_seed(0)
    made = TabularNetwork(
        Architecture(Inputs(5, (40, 7)), 3, "multiclass", **settings), compute_bins(numbers.numpy(), 32)
    )
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    return made


VARIANTS: list[dict[str, Any]] = [
    {},
    {"batch_norm": True, "scale_members": True},
    {"depth": 0},
    {"members": 1, "linear_skip": False},
    {"number_embedding": "none", "activation": "gelu"},
]


@pytest.mark.parametrize("changes", VARIANTS)
def test_the_exported_graph_gives_the_same_probabilities_for_any_number_of_rows(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    predictor, (numbers, categories) = Predictor(network(**changes)), rows()
    graph = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            predictor,
            (numbers[:2], categories[:2]),
            graph,
            dynamo=False,
            input_names=["numbers", "categories"],
            dynamic_axes={"numbers": {0: "n"}, "categories": {0: "n"}},
        )
    session = onnxruntime.InferenceSession(graph)
    for count in (1, 2, 33, ROWS):
        with torch.inference_mode():
            ours = predictor(numbers[:count], categories[:count]).numpy()
        feed = {"numbers": numbers[:count].numpy(), "categories": categories[:count].numpy()}
        assert np.abs(session.run(None, feed)[0] - ours).max() < 2e-6


def test_the_piecewise_code_read_from_running_sums_equals_its_definition() -> None:
    embedding, (numbers, _) = network().piecewise, rows()
    assert embedding is not None
    coded = numbers[:, network().columns] * 3  # beyond the outermost edges too
    left, inverse = embedding.left.double(), embedding.inverse.double()
    code = ((coded.double()[:, :, None] - left) * inverse).clamp(0, 1)
    wanted = torch.einsum("bft,fts->bfs", code, embedding.weight.double()).flatten(1)
    assert (embedding(coded) - wanted).abs().max() < 1e-5


def test_with_depth_zero_the_network_is_a_linear_model() -> None:
    linear = network(depth=0, number_embedding="none")
    numbers, categories = rows()
    embedded = torch.cat([linear.embedding[categories[:, 0]], linear.embedding[40 + categories[:, 1]]], 1)
    assert linear.skip is not None
    wanted = torch.cat([numbers, embedded], 1) @ linear.skip.weight.T + linear.skip.bias
    assert torch.allclose(linear(numbers, categories)[0], wanted, atol=1e-5)


def test_members_are_combined_by_the_mean_of_probabilities_and_of_values() -> None:
    outputs = torch.randn(4, 6, 3)
    assert torch.allclose(combine(outputs, 3), torch.stack([o.softmax(-1) for o in outputs]).mean(0))
    values = torch.randn(4, 6, 1)
    assert torch.allclose(combine(values, 0), values[:, :, 0].mean(0))


def test_an_untrained_network_with_its_linear_path_at_zero_equals_one_without() -> None:
    torch.manual_seed(3)
    architecture = Architecture(Inputs(5), 1, "regression", depth=1)
    made = TabularNetwork(architecture).eval()
    before = made(rows()[0])
    made.skip = None
    assert torch.equal(made(rows()[0]), before)


def test_only_weight_matrices_decay() -> None:
    decaying = {role.name for role in network(batch_norm=True, scale_members=True).roles() if role.decays}
    assert decaying == {"skip.weight", "weights.0", "weights.1", "head", "piecewise.weight"}


def test_half_of_the_edges_come_from_distinct_values() -> None:
    generator = np.random.default_rng(0)
    column = np.where(generator.random(4000) < 0.95, 0.0, generator.random(4000)).astype(np.float32)
    table = np.stack([column, column > 0, np.ones(4000, np.float32)], 1).astype(np.float32)
    bins = compute_bins(table, 32)
    assert bins.columns.tolist() == [0]
    assert int((bins.inverse > 0).sum()) >= 15
    assert np.all(np.diff(bins.left[0]) >= 0)


def test_no_column_to_code_leaves_the_embedding_out(tmp_path: Path) -> None:
    table = np.ones((10, 5), np.float32)
    architecture = Architecture(Inputs(5, (40, 7)), 3, "multiclass", number_embedding="piecewise")
    made = TabularNetwork(architecture, compute_bins(table, 8))
    assert made.piecewise is None
    save_network(made, tmp_path / "w.safetensors")
    assert load_network(architecture, tmp_path / "w.safetensors").piecewise is None


def test_saved_weights_predict_the_same_bits(tmp_path: Path) -> None:
    made, (numbers, categories) = network(batch_norm=True), rows()
    inputs = {"numbers": numbers, "categories": categories}
    before = predict(made, inputs)
    save_network(made, tmp_path / "weights.safetensors")
    loaded = load_network(made.architecture, tmp_path / "weights.safetensors")
    assert torch.equal(predict(loaded, inputs), before)
    assert before.shape == (ROWS, 3)
    assert torch.allclose(before.sum(1), torch.ones(ROWS))


def test_weights_of_another_architecture_or_a_damaged_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_network(network(), path)
    with pytest.raises(ModelError, match="another architecture"):
        load_network(network(width=17).architecture, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match="cannot be read"):
        load_network(network().architecture, path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_network(network().architecture, tmp_path / "absent")


def test_a_piecewise_network_without_edges_is_refused() -> None:
    with pytest.raises(ModelError, match="bin edges"):
        TabularNetwork(Architecture(Inputs(2), 1, "regression", number_embedding="piecewise"))


def test_numbers_only_and_categories_only_networks_run() -> None:
    numbers, categories = rows()
    assert TabularNetwork(Architecture(Inputs(5), 1, "regression"))(numbers).shape == (8, ROWS, 1)
    only = TabularNetwork(Architecture(Inputs(0, (40, 7)), 2, "binary"))
    assert only(categories=categories).shape == (8, ROWS, 2)
    with pytest.raises(ModelError, match="without its inputs"):
        only()


def test_bins_are_plain_arrays() -> None:
    bins = compute_bins(rows()[0].numpy(), 16)
    assert isinstance(bins, Bins)
    assert bins.left.dtype == np.float32
    assert bins.left.shape == bins.inverse.shape == (4, bins.left.shape[1])
