"""What a tabular network looks like, as checked plain data that survives JSON (`configs/architecture.json`).

No torch here: agents and the runner check an architecture without it. Building is `network.py`'s part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from .errors import ModelError

Task = Literal["binary", "multiclass", "regression"]
TASKS = ("binary", "multiclass", "regression")
ACTIVATIONS = ("silu", "relu", "gelu")
NUMBER_EMBEDDINGS = ("none", "piecewise")
LIMITS: dict[str, tuple[float, float]] = {
    "outputs": (1, 10_000),
    "width": (1, 8192),
    "depth": (0, 32),
    "dropout": (0.0, 0.95),
    "embedding_size": (1, 1024),
    "members": (1, 64),
    "bins": (2, 1024),
    "bin_size": (1, 64),
}
"""Smallest and largest value of each numeric field, both included."""


@dataclass(frozen=True)
class Inputs:
    """Width of the encoded input.

    Attributes:
        numbers: columns of the float array `numbers` (n, numbers).
        categories: levels of each column of the integer array `categories` (n, len(categories)).
    """

    numbers: int
    categories: tuple[int, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """A tabular network: embeddings, `members` parallel MLPs with shared weights, a linear path around them.

    Attributes:
        inputs: width of the encoded input.
        outputs: classes (2 for binary), or 1 for regression.
        task: what the outputs mean.
        kind: always "tabular".
        width: hidden units of a block.
        depth: number of blocks (Linear, BatchNorm if asked, activation, dropout); 0: only the linear path.
        activation: non-linearity of a block.
        dropout: share of hidden units dropped while training.
        batch_norm: normalise each block over the batch.
        embedding_size: learned values per category column (never more than its levels).
        linear_skip: add a linear map from inputs to output: a linear model is in the family.
        members: parallel networks that share weight matrices and differ by input scales, biases and heads
            (TabM-mini, Gorishniy et al. 2024, arXiv 2410.24210).
        scale_members: give every member its own scale after each block too (full TabM).
        number_embedding: "piecewise" codes each number by where it lies between quantiles of the training
            rows (Gorishniy et al. 2022, arXiv 2203.05556); "none" passes it through.
        bins: most bins of a piecewise code.
        bin_size: learned values per piecewise-coded number.
    """

    inputs: Inputs
    outputs: int
    task: Task
    kind: Literal["tabular"] = "tabular"
    width: int = 128
    depth: int = 3
    activation: Literal["silu", "relu", "gelu"] = "silu"
    dropout: float = 0.1
    batch_norm: bool = False
    embedding_size: int = 8
    linear_skip: bool = True
    members: int = 8
    scale_members: bool = False
    number_embedding: Literal["none", "piecewise"] = "none"
    bins: int = 128
    bin_size: int = 4

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Architecture:
        """Read a JSON document; raises `ModelError` naming the first unknown, absent or wrong field."""
        known = {f.name for f in fields(cls)}
        for name in document:
            if name not in known:
                raise _refuse(name, f"unknown architecture field {name!r}", f"known fields: {sorted(known)}")
        for name in ("inputs", "outputs", "task"):
            if name not in document:
                raise _refuse(name, f"the architecture lacks {name!r}", f"add {name!r}")
        return cls(**{**document, "inputs": _inputs(document["inputs"])})

    @classmethod
    def load(cls, path: Path) -> Architecture:
        """Read `configs/architecture.json`; raises `ModelError` when it is not an architecture."""
        try:
            document = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise _refuse("architecture", f"{str(path)!r} is not JSON: {error}", "write it again") from error
        if not isinstance(document, dict):
            raise _refuse("architecture", f"{str(path)!r} holds no JSON object", "write it again")
        return cls.from_dict(document)

    def as_dict(self) -> dict[str, Any]:
        """The JSON document; `from_dict` gives back an equal architecture."""
        document = asdict(self)
        document["inputs"]["categories"] = list(self.inputs.categories)
        return document

    @property
    def classes(self) -> int:
        """Number of classes, 0 for regression."""
        return 0 if self.task == "regression" else self.outputs


def _refuse(name: str, message: str, fix: str) -> ModelError:
    return ModelError(message, code="model.architecture", field=name, fix=fix)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _inputs(document: Any) -> Inputs:
    if isinstance(document, Inputs):
        return document
    if not isinstance(document, Mapping) or not _whole(document.get("numbers")):
        raise _refuse("inputs", f"inputs {document!r} has no whole number of numbers", 'e.g. {"numbers": 4}')
    extra = set(document) - {"numbers", "categories"}
    if extra:
        raise _refuse("inputs", f"unknown inputs {sorted(extra)}", "known: numbers, categories")
    levels = document.get("categories", ())
    if not isinstance(levels, list | tuple):
        raise _refuse("inputs", f"categories {levels!r} is not a list", "a list of level counts")
    return Inputs(document["numbers"], tuple(levels))


def _check(arch: Architecture) -> None:
    """Raise `ModelError` for the first field that is out of its range."""
    choices = {
        "kind": ("tabular",),
        "task": TASKS,
        "activation": ACTIVATIONS,
        "number_embedding": NUMBER_EMBEDDINGS,
    }
    for name, allowed in choices.items():
        if getattr(arch, name) not in allowed:
            raise _refuse(name, f"{name} {getattr(arch, name)!r} is not one of {allowed}", f"use {allowed[0]!r}")
    for name in ("batch_norm", "linear_skip", "scale_members"):
        if not isinstance(getattr(arch, name), bool):
            raise _refuse(name, f"{name} {getattr(arch, name)!r} is neither true nor false", "true or false")
    for name, (low, high) in LIMITS.items():
        value = getattr(arch, name)
        right = isinstance(value, int | float) and not isinstance(value, bool) if name == "dropout" else _whole(value)
        if not right or not low <= value <= high:
            raise _refuse(name, f"{name} {value!r} is not between {low} and {high}", f"{low} to {high}")
    _check_shape(arch)


def _check_shape(arch: Architecture) -> None:
    inputs = arch.inputs
    if inputs.numbers < 0 or not all(_whole(levels) and levels >= 1 for levels in inputs.categories):
        raise _refuse("inputs", f"inputs {inputs!r} hold a negative size", "sizes of the encoded arrays")
    if inputs.numbers + len(inputs.categories) == 0:
        raise _refuse("inputs", "the network has no input", "at least one number or category")
    wrong = {"binary": arch.outputs != 2, "multiclass": arch.outputs < 2, "regression": arch.outputs != 1}
    if wrong[arch.task]:
        wanted = {"binary": "2", "multiclass": "the number of classes", "regression": "1"}[arch.task]
        raise _refuse("outputs", f"outputs {arch.outputs} do not fit task {arch.task!r}", f"outputs: {wanted}")
    if arch.depth == 0 and not arch.linear_skip:
        raise _refuse("depth", "depth 0 without linear_skip leaves nothing to train", "depth 1 or linear_skip")
