"""A small real model and the workspace around it, for tests of what is generated. No training: weights are drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from templates import render
from templates.serve.context import ServeContext

ROOT = Path(__file__).parents[2]
EXAMPLE = {"bill_length_mm": 39.1, "island": "Torgersen", 'shop "<b>': "s3", "male": "yes"}
PREPROCESSING: dict[str, Any] = {
    "fields": [
        {
            "name": "bill_length_mm",
            "kind": "number",
            "median": 44.0,
            "scale": 9.0,
            "fill": 44.0,
            "value_at": 0,
            "missing_at": 1,
            "example": 39.1,
        },
        {
            "name": "island",
            "kind": "category",
            "encoding": "one_hot",
            "levels": ["Biscoe", "Dream", "Torgersen"],
            "start": 2,
            "missing_at": None,
            "other_at": None,
            "example": "Torgersen",
        },
        {
            "name": 'shop "<b>',
            "kind": "category",
            "encoding": "index",
            "levels": [f"s{i}" for i in range(40)],
            "place": 0,
            "example": "s3",
        },
        {
            "name": "male",
            "kind": "boolean",
            "levels": ["no", "yes"],
            "median": 0.0,
            "scale": 1.0,
            "fill": 0.0,
            "value_at": 5,
            "missing_at": None,
            "example": "yes",
        },
    ],
    "inputs": {
        "continuous": 1,
        "numbers": [{"field": "bill_length_mm"}] * 2 + [{"field": "island"}] * 3 + [{"field": "male"}],
        "categories": [{"field": 'shop "<b>', "levels": 42}],
    },
    "example": EXAMPLE,
}
LABELS = ["Adelie", "Chinstrap", "Gentoo"]


def write_model(folder: Path, *, regression: bool = False, width: int = 32) -> None:
    """model.onnx and preprocessing.json, as an export leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(7).normal
    outputs = 1 if regression else 3
    weights = {
        "embedding": draw(size=(42, 4)),
        "w1": draw(size=(10, width)) * 0.3,
        "b1": draw(size=width),
        "w2": draw(size=(width, outputs)) * 0.3,
        "b2": draw(size=outputs),
        "first": np.array([0]),
        "flat": np.array([-1]),
    }
    initial = [
        numpy_helper.from_array(v.astype(np.int64 if v.dtype.kind == "i" else np.float32), n)
        for n, v in weights.items()
    ]
    last = ("Reshape", ["z", "flat"], "value") if regression else ("Softmax", ["z"], "probabilities")
    steps = [
        ("Squeeze", ["categories", "axis"], "one"),
        ("Gather", ["embedding", "one"], "e"),
        ("Concat", ["numbers", "e"], "x"),
        ("Gemm", ["x", "w1", "b1"], "h"),
        ("Relu", ["h"], "a"),
        ("Gemm", ["a", "w2", "b2"], "z"),
        last,
    ]
    initial.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    axis: dict[str, Any] = {"axis": 1}
    nodes = [
        helper.make_node(kind, inputs, [out], **(axis if kind in ("Concat", "Softmax") else {}))
        for kind, inputs, out in steps
    ]
    ends = [
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", 6]),
        helper.make_tensor_value_info("categories", TensorProto.INT64, ["n", 1]),
    ]
    shape: list[str | int | None] = ["n"] if regression else ["n", 3]
    result = helper.make_tensor_value_info(last[2], TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "kit", ends, [result], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "model.onnx"))
    extra = {"labels": None, "interval": {"level": 0.9, "half_width": 0.5}} if regression else {"labels": LABELS}
    (folder / "preprocessing.json").write_text(json.dumps(PREPROCESSING | extra), encoding="utf-8")


def write_attempt(folder: Path, *, regression: bool = False) -> Path:
    """An attempt's folder with models/, scripts/serve.py and scripts/rows/."""
    write_model(folder / "models", regression=regression)
    scripts = folder / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    rows = ROOT / "gpu_jobs" / "data" / "rows"
    shutil.copytree(rows, scripts / "rows", ignore=shutil.ignore_patterns("__pycache__"))
    context = ServeContext(name="penguins", version="1.0.0", run="r-1")
    (scripts / "serve.py").write_text(render("serve", context), encoding="utf-8")
    return folder
