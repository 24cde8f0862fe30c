"""The exported graph answers as the network does, or is not written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from gpu_jobs.data.target import TargetScale
from gpu_jobs.evaluation.calibration import tempered
from gpu_jobs.export import graph
from gpu_jobs.export.errors import ExportError
from gpu_jobs.export.graph import Answer, ServedModule, export_graph, random_inputs, relative_difference
from gpu_jobs.export.session import OnnxModel
from gpu_jobs.models.architecture import Architecture
from gpu_jobs.models.bins import compute_bins
from gpu_jobs.models.network import TabularNetwork
from gpu_jobs.models.weights import predict


def network(task: str, numbers: int = 4, categories: tuple[int, ...] = (3, 30), **more: Any) -> TabularNetwork:
    outputs = {"binary": 2, "multiclass": 5, "regression": 1}[task]
    inputs = {"numbers": numbers, "categories": list(categories)}
    arch = Architecture.from_dict({"inputs": inputs, "outputs": outputs, "task": task, "width": 24, "depth": 2, **more})
    bins = None
    if arch.number_embedding == "piecewise":
        bins = compute_bins(np.random.default_rng(0).normal(size=(400, numbers)).astype(np.float32), 16)
    torch.manual_seed(1)
    made = TabularNetwork(arch, bins)
    for parameter in made.parameters():  # away from the zero start, as after training
        parameter.data += torch.randn_like(parameter) * 0.2
    return made.eval()


SHAPES: dict[str, dict[str, Any]] = {
    "embeddings": {},
    "one member": {"members": 1},
    "members with own scales": {"members": 8, "scale_members": True},
    "number embedding": {"number_embedding": "piecewise"},
    "batch norm and gelu": {"batch_norm": True, "activation": "gelu"},
    "linear": {"depth": 0},
    "numbers alone": {"categories": ()},
    "categories alone": {"numbers": 0},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_graph_and_network_agree_on_rows_that_the_export_has_not_seen(tmp_path: Path, shape: str, task: str) -> None:
    made = network(task, **SHAPES[shape])
    scale = TargetScale("log1p", 2.0, 0.5) if task == "regression" else None
    answer = Answer(1.0 if task == "regression" else 1.4, scale)
    assert export_graph(made, answer, tmp_path / "model.onnx") <= 1e-4
    module = ServedModule(made, answer)
    given = dict(zip(module.names, random_inputs(module, 257, seed=99), strict=True))
    plain = predict(made, given).numpy()
    expected = tempered(plain, 1.4) if scale is None else scale.inverse(plain)
    found = OnnxModel(tmp_path / "model.onnx")({name: tensor.numpy() for name, tensor in given.items()})
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert relative_difference(found, expected) <= 1e-4


@pytest.mark.parametrize("transform", ["none", "log1p", "asinh"])
def test_the_graph_gives_numbers_in_the_units_of_the_target(tmp_path: Path, transform: str) -> None:
    target = np.random.default_rng(0).gamma(2.0, 100.0, 500)
    scale = TargetScale.fit(target, transform)
    made = network("regression")
    export_graph(made, Answer(scale=scale), tmp_path / "model.onnx")
    module = ServedModule(made, Answer(scale=scale))
    given = dict(zip(module.names, random_inputs(module, 50, seed=3), strict=True))
    expected = scale.inverse(predict(made, given).numpy())
    found = OnnxModel(tmp_path / "model.onnx")({name: tensor.numpy() for name, tensor in given.items()})
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_inputs_outputs_and_the_free_batch_axis_are_named(tmp_path: Path) -> None:
    export_graph(network("binary"), Answer(), tmp_path / "model.onnx")
    document = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(document, full_check=True)
    assert [node.name for node in document.graph.input] == ["numbers", "categories"]
    assert [node.name for node in document.graph.output] == ["probabilities"]
    assert document.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"


def test_probabilities_sum_to_one_with_a_temperature_inside(tmp_path: Path) -> None:
    made = network("multiclass")
    export_graph(made, Answer(temperature=0.6), tmp_path / "model.onnx")
    module = ServedModule(made, Answer())
    given = dict(zip(module.names, random_inputs(module, 9, seed=3), strict=True))
    found = OnnxModel(tmp_path / "model.onnx")({name: tensor.numpy() for name, tensor in given.items()})
    assert found.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-5)


def test_a_graph_that_differs_is_refused_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "OnnxModel", lambda path: lambda given: OnnxModel(path)(given) * 1.001)
    with pytest.raises(ExportError, match="differs from the network") as caught:
        export_graph(network("multiclass"), Answer(), tmp_path / "model.onnx")
    assert caught.value.code == "export.parity"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ExportError, match=r"model\.onnx"):
        OnnxModel(tmp_path / "model.onnx")


def test_many_rows_are_run_in_chunks_with_the_same_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network("binary")
    export_graph(made, Answer(), tmp_path / "model.onnx")
    module, model = ServedModule(made, Answer()), OnnxModel(tmp_path / "model.onnx")
    given = {n: t.numpy() for n, t in zip(module.names, random_inputs(module, 101, seed=3), strict=True)}
    whole = model(given)
    monkeypatch.setattr("gpu_jobs.export.session.CHUNK", 10)
    np.testing.assert_allclose(model(given), whole, rtol=1e-5)


def test_the_relative_difference_sees_a_wrong_value_and_forgives_rounding() -> None:
    expected = np.array([1.0, 2.0, 1e-9])
    assert relative_difference(expected, expected) == 0
    assert relative_difference(np.array([1.0, 2.002, 0.0]), expected) == pytest.approx(1e-3)
    assert relative_difference(np.array([1.0, 2.0, 0.0]), expected) < 1e-4
    assert relative_difference(np.array([1.0, np.nan, 0.0]), expected) == float("inf")
    assert relative_difference(np.ones(2), expected) == float("inf")
