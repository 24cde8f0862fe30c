"""What training, export and benchmark must say, from history, weights, kept predictions and the files themselves."""

from __future__ import annotations

import numpy as np

from tests.acceptance.reevaluation.artifacts import Run, read, sha256
from tests.acceptance.reevaluation.checks import Anything, Check, Figure, Near
from tests.acceptance.reevaluation.metrics import Array
from tests.acceptance.reevaluation.scores import Document, Split

SMALLEST = float(np.finfo(np.float32).eps)


def expected_training(split: Split) -> Document:
    """The training result of a run that nobody steered.

    `split` is the validation split, whose kept predictions give loss and metric again.
    """
    run = split.run
    settings, epochs = read(run.attempt / "configs" / "training.json"), _epochs(run)
    held = [row["validation_loss"] for row in epochs]
    best = int(np.argmin(held)) + 1
    regression = run.labels is None
    unit = "squared standard deviations" if regression else "nats"
    loss, metric = validation_loss(split), split.drawn.points["network"]["rmse" if regression else "accuracy"]
    speeds = sorted(row["rows_per_second"] for row in epochs)
    stopped = "early" if len(epochs) - best >= settings["patience"] else "schedule"
    if stopped == "schedule" and len(epochs) < settings["epochs"]:
        stopped = "budget"
    return {
        "epochs_run": len(epochs),
        "best_epoch": best,
        "stopped": stopped,
        "converged": stopped != "budget",
        "diverged": 0,
        "train_loss": Figure(epochs[best - 1]["train_loss"], unit, "train"),
        "validation_loss": Figure(loss, unit, "validation", tolerance=1e-5),
        "metric_name": "rmse" if regression else "accuracy",
        "metric": Figure(metric, "target" if regression else "fraction", "validation", tolerance=1e-5),
        "seconds": Figure(None, "s"),
        "chosen_by": "loss",
        "steered": [],
        "steering_missed": [],
        "rows_per_second": Figure(speeds[len(speeds) // 2], "rows/s"),
        "peak_memory_mb": Figure(None, "MB"),
        "checkpoints": [_checkpoint(run, path.stem) for path in sorted(run.attempt.glob("checkpoints/*.json"))],
        "weights_sha256": sha256(run.attempt / "models" / "weights.safetensors"),
        "restored": {
            "epoch": best,
            "loss_saved": held[best - 1],
            "loss_restored": Near(loss, 1e-5),
            "equal": True,
        },
        "device": settings["device"],
        "threads": settings["threads"] if settings["workers"] == 1 else 1,
        "workers": settings["workers"],
    }


def _epochs(run: Run) -> list[Document]:
    found: list[Document] = read(run.attempt / "history.json")["epochs"]
    return found


def _checkpoint(run: Run, stem: str) -> Document:
    """A kept checkpoint's record, from its name and its file."""
    _, epoch, step, why = stem.split("-")
    path = run.attempt / "checkpoints" / f"{stem}.safetensors"
    place = f"checkpoints/{path.name}"
    size = path.stat().st_size
    return {"epoch": int(epoch), "step": int(step), "why": why, "path": place, "sha256": sha256(path), "bytes": size}


def untempered(run: Run, p: Array) -> Array:
    """Class probabilities before the temperature: the kept ones raised to it, made to sum to 1."""
    temperature = run.preprocessing["calibration"]["temperature"]
    raised = np.maximum(p.astype(np.float64), 1e-300) ** temperature
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def scaled(run: Run, values: Array) -> Array:
    """Target units as the network is trained on them."""
    target = run.preprocessing["target"]
    moved = {"log1p": np.log1p, "asinh": np.arcsinh}.get(target["transform"], np.positive)(values)
    return np.asarray((moved - target["mean"]) / target["std"])


def validation_loss(split: Split) -> float:
    """Loss of the kept weights on the validation rows, from the kept predictions."""
    run, network = split.run, split.models["network"]
    settings = read(run.attempt / "configs" / "training.json")
    if run.labels is None:
        error = scaled(run, network.astype(np.float64)) - scaled(run, split.y)
        if settings["loss"] == "huber":
            return float(np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5).mean())
        return float((error**2).mean())
    each = -np.log(untempered(run, network)[np.arange(len(split.y)), split.y])
    weights = settings["class_weights"]
    return float(np.average(each, weights=None if weights is None else np.array(weights)[split.y]))


# ---- export -------------------------------------------------------------------------------------------------------


def expected_export(split: Split) -> Document:
    """The export's document."""
    run, models = split.run, split.run.attempt / "models"
    files = {"onnx": "model.onnx", "preprocessing": "preprocessing.json", "weights": "weights.safetensors"}
    architecture = read(run.attempt / "configs" / "architecture.json")
    found: Document = {f"{name}_sha256": sha256(models / file) for name, file in files.items()}
    found |= {
        "onnx_bytes": (models / "model.onnx").stat().st_size,
        "opset": 17,
        "parity": {"rows": [1, 2, 33], "max_relative": Anything()},
        "inputs": {name: architecture["inputs"][name] for name in ("numbers", "categories")},
        "calibration": None,
        "interval": None,
    }
    if run.labels is None:
        return found | {"interval": _interval(split)}
    return found | {"calibration": _calibration(split)}


def _interval(split: Split) -> Document | None:
    """Half of the validation rows set the width (90 % of them plus one inside), the other half measures it."""
    said = split.models["network"].astype(np.float64)
    logarithm = split.run.preprocessing["target"]["transform"] == "log1p"
    residual = np.abs(np.log1p(split.y) - np.log1p(said)) if logarithm else np.abs(split.y - said)
    order = np.random.default_rng(split.seed).permutation(len(residual))
    half = len(order) // 2
    sets, checks = np.sort(residual[order[:half]]), residual[order[half:]]
    rank = int(np.ceil(0.9 * (half + 1) - 1e-9))
    if half < 20 or rank > half:
        return None
    width = float(sets[rank - 1])
    inside = float((checks <= width).mean())
    found = Figure(np.exp(width), "ratio", "validation", half) if logarithm else None
    return {
        "level": 0.9,
        **({"half_width": Figure(width, "target", "validation", half)} if found is None else {"factor": found}),
        "coverage": Figure(inside, "fraction", "validation", len(checks)),
    }


def _calibration(split: Split) -> Document:
    """The temperature is the best one for all rows, where two halves gain by each other's; else it is 1."""
    y, rows = split.y, len(split.y)
    p = np.maximum(untempered(split.run, split.models["network"]), SMALLEST)
    before = tempered_loss(p, y, 1.0)
    value, after = 1.0, before
    if rows >= 20 and len(np.unique(y)) > 1:
        order = np.random.default_rng(split.seed).permutation(rows)
        a, b = order[: rows // 2], order[rows // 2 :]
        gained = sum(
            tempered_loss(p[judged], y[judged], best_temperature(p[fitted], y[fitted])) * len(judged) / rows
            for fitted, judged in ((a, b), (b, a))
        )
        if gained < before:
            value, after = best_temperature(p, y), gained
    return {
        "temperature": Near(value, 2e-3),
        "applied": value != 1.0,
        "log_loss_before": Figure(before, "nats", "validation", rows, tolerance=1e-5),
        "log_loss_after": Figure(after, "nats", "validation", rows, tolerance=1e-4),
    }


def tempered_loss(p: Array, y: Array, temperature: float) -> float:
    """Mean log loss of the probabilities at a temperature."""
    raised = p ** (1.0 / temperature)
    chosen = raised[np.arange(len(y)), y] / raised.sum(axis=1)
    return float(-np.log(np.clip(chosen, SMALLEST, 1.0)).mean())


def best_temperature(p: Array, y: Array) -> float:
    """The temperature in [1/4, 4] of the lowest loss with its prior (log temperature ~ N(0, 1/2)), on finer grids."""
    low, high = np.log(0.25), np.log(4.0)
    for _ in range(5):
        grid = np.linspace(low, high, 21)
        costs = [tempered_loss(p, y, float(np.exp(t))) + (t / 0.5) ** 2 / (2 * len(y)) for t in grid]
        best, step = float(grid[int(np.argmin(costs))]), float(grid[1] - grid[0])
        low, high = max(low, best - step), min(high, best + step)
    return float(np.exp(best))


# ---- benchmark ----------------------------------------------------------------------------------------------------


def expected_benchmark(run: Run, reported: Document) -> Document:
    """Speeds can only be measured; sizes are the files', rates agree, the histogram holds what was asked for."""
    models = run.attempt / "models"
    size = sum((models / name).stat().st_size for name in ("model.onnx", "preprocessing.json"))
    latency = {f"latency_p{percent}_ms": Figure(None, "ms") for percent in (50, 95, 99)}
    batched = reported["batch32"]["throughput_rps"]["value"]
    rate = Figure(None, "requests/s")
    return {
        **latency,
        "throughput_rps": rate,
        "batch32": {**latency, "throughput_rps": rate, "rows_per_second": Figure(batched * 32, "rows/s")},
        "model_alone_ms": Figure(None, "ms"),
        "memory_mb": Figure(None, "MB"),
        "model_bytes": Figure(size, "bytes"),
        "ready_seconds": Figure(None, "s"),
        "requests": Anything(),
        "histogram": {"edges_ms": [Anything()] * 19, "counts": [Anything()] * 20},
    }


def check_histogram(reported: Document, check: Check) -> None:
    """Each reported quantile lies in the bin of the histogram that holds it."""
    edges, counts = reported["histogram"]["edges_ms"], np.cumsum(reported["histogram"]["counts"])
    check.true("the histogram's edges do not rise", edges == sorted(edges))
    check.true("the histogram holds more than was asked", counts[-1] <= reported["requests"])
    for percent in (50, 95, 99):
        rank = max(1, int(np.ceil(percent / 100 * counts[-1])))
        place = int(np.searchsorted(counts, rank))
        low, high = ([0.0, *edges][place], [*edges, np.inf][place])
        value = reported[f"latency_p{percent}_ms"]["value"]
        check.true(f"latency_p{percent}_ms {value} is not in the bin {low} to {high}", low <= value <= high)
