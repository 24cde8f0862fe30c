"""Training speed beside a hand-written loop, memory, a million rows, and quality beside scikit-learn's networks.

    python benchmarks/training.py [speed] [memory] [million] [quality] [--rounds 9]     # all parts by default

Reads `../shared/data/tabular`; says so and leaves the part out where it is absent. Ratios come from one run with the
loops in turn. Writes its section of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import torch
from torch.nn import functional

from benchmarks.results import write_section
from gpu_jobs.data.table import load_prepared
from gpu_jobs.data.target import TargetScale
from gpu_jobs.models.architecture import Architecture
from gpu_jobs.models.defaults import recommended_architecture, recommended_training
from gpu_jobs.models.network import TabularNetwork
from gpu_jobs.models.weights import load_network, predict
from gpu_jobs.tasks import prepare, profile, snapshot, train
from gpu_jobs.tasks.job import Job
from gpu_jobs.training.loop import Plan, Trainer
from gpu_jobs.training.resources import peak_memory_mb
from gpu_jobs.training.settings import TrainSettings
from gpu_jobs.training.table import Table
from gpu_jobs.training.watch import Silent

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "tabular"
MILLION, COLUMNS = 1_000_000, 20
PARTS = ("speed", "memory", "million", "quality")


@dataclass(frozen=True)
class Source:
    """A real table: its file, target, task, dropped columns and missing markers."""

    file: str
    target: str
    task: Any
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


SOURCES = {
    "penguins": Source("penguins.csv", "species", "multiclass", missing=(".", "NA")),
    "adult": Source("adult.csv.gz", "income", "binary", drop=("split",), missing=("?",)),
    "california": Source("california-housing.csv", "median_house_value", "regression"),
}


def job(root: Path, kind: str, **args: Any) -> Job:
    """A job of this kind on a folder."""
    return Job(root, {"id": kind, "kind": kind, "run": "benchmark", "args": args})


def prepared(root: Path, file: Path, source: Source, seed: int) -> dict[str, Any]:
    """Snapshot, plan and encode a file into `root`; the prepare job's result."""
    facts = snapshot.run(job(root, "snapshot", source=str(file), missing=list(source.missing) or None))
    out = {source.target, *source.drop}
    features = [{"name": c["name"], "kind": c["type"]} for c in facts["columns"] if c["name"] not in out]
    method = "random" if source.task == "regression" else "stratified"
    dataset = {
        "name": file.stem, "task": source.task, "target": source.target, "features": features, "labels": None,
        "positive": None, "target_transform": "none", "missing": list(source.missing),
        "split": {"method": method, "fractions": [0.64, 0.16, 0.2], "seed": seed},
    }  # fmt: skip
    return prepare.run(job(root, "prepare", dataset=dataset))


def recommended(source: Source, result: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(ARCH, TRAIN) with the recommended values for a prepared table, one thread."""
    rows, inputs = result["rows"]["train"], result["inputs"]
    classes = 1 if source.task == "regression" else len(result["classes"])
    architecture = recommended_architecture(source.task, rows, inputs["numbers"], tuple(inputs["categories"]), classes)
    return architecture, {**recommended_training(source.task, rows), "seed": seed}


# --- speed ---------------------------------------------------------------------------------------------------


def hand_written(network: TabularNetwork, table: Table, batch: int) -> Callable[[], None]:
    """What one writes by hand: a permutation, slices of it, cross-entropy, torch's AdamW."""
    x, y = table.train["numbers"], table.target
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def epoch() -> None:
        for rows in torch.randperm(len(y)).split(batch):  # type: ignore[no-untyped-call]
            optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(network(x[rows])[0], y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return epoch


def ours(architecture: Architecture, table: Table, batch: int, folder: Path) -> Callable[[], None]:
    """One epoch of the product's loop: clipping, schedule, moving average, stop and divergence checks included."""
    settings = TrainSettings(batch=batch, rate=1e-3, ema=0.98, epochs=1000)
    trainer = Trainer(Plan(architecture, settings, folder, "benchmark"), table, Silent())

    def epoch() -> None:
        trainer.progress.step = 0
        trainer.epoch()

    return epoch


def speed(rounds: int) -> str:
    """Rows per second of both loops at batch 256 and 2048 on adult, the same network."""
    torch.set_num_threads(1)
    lines = [
        "| batch | hand-written rows/s | ours rows/s | ratio | worst..best round |",
        "| --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prepared(root, DATA / SOURCES["adult"].file, SOURCES["adult"], 0)
        whole = Table.of(load_prepared(root), 2, torch.device("cpu"))
        numbers = {"numbers": whole.train["numbers"]}
        table = Table(numbers, whole.target, {"numbers": whole.validation["numbers"]}, whole.validation_target, 2)
        width = numbers["numbers"].shape[1]
        architecture = Architecture.from_dict({
            "inputs": {"numbers": width}, "outputs": 2, "task": "binary", "members": 1, "depth": 2, "width": 128,
            "activation": "relu", "dropout": 0.0, "linear_skip": False,
        })  # fmt: skip
        for batch in (256, 2048):
            loops = (
                hand_written(TabularNetwork(architecture), table, batch),
                ours(architecture, table, batch, root / str(batch)),
            )
            seconds = [[_seconds(loop) for loop in loops] for _ in range(rounds + 1)][1:]
            by_hand, by_us = (median(pair[i] for pair in seconds) for i in (0, 1))
            ratios = sorted(hand / mine for hand, mine in seconds)
            lines.append(
                f"| {batch} | {table.rows / by_hand:,.0f} | {table.rows / by_us:,.0f} | {median(ratios):.2f} "
                f"| {ratios[0]:.2f}..{ratios[-1]:.2f} |"
            )
    said = f"adult, {table.rows:,} rows x {width} numbers, MLP 128-128, one thread, median of {rounds} rounds in turn."
    return "\n".join(["### Loop against a hand-written one (target: at least 0.9)", "", said, "", *lines])


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


# --- memory and a million rows -------------------------------------------------------------------------------


def child(part: str, root: Path) -> None:
    """One measured step in a process of its own; prints {"seconds", "peak_mb", ...}."""
    begin = time.perf_counter()
    found: dict[str, Any] = {}
    if part == "read":
        snapshot.run(job(root, "snapshot", source=str(root / "table.csv"), missing=None))
    elif part == "profile":
        profile.run(job(root, "profile", target="y", task="binary"))
    elif part == "prepare":
        found["result"] = prepared_again(root)
    else:
        documents = json.loads((root / "train.json").read_text())
        Job(root, {"id": "train", "kind": "train", "run": "benchmark"}).folder.mkdir(parents=True, exist_ok=True)
        result = train.run(job(root, "train", attempt_folder="attempts/1", **documents))
        found["rows_per_second"] = result["rows_per_second"]["value"]
    print(
        json.dumps(
            {"seconds": time.perf_counter() - begin, "cpu": time.process_time(), "peak_mb": peak_memory_mb(), **found}
        )
    )


def prepared_again(root: Path) -> dict[str, Any]:
    """Encode the snapshot that is already in `root`."""
    names = [c["name"] for c in json.loads((root / "data" / "snapshot.json").read_text())["columns"]]
    kinds = {c["name"]: c["type"] for c in json.loads((root / "data" / "snapshot.json").read_text())["columns"]}
    dataset = {
        "name": "million", "task": "binary", "target": "y", "labels": None, "positive": None,
        "features": [{"name": name, "kind": kinds[name]} for name in names if name != "y"],
        "target_transform": "none", "missing": [],
        "split": {"method": "stratified", "fractions": [0.64, 0.16, 0.2], "seed": 0},
    }  # fmt: skip
    return prepare.run(job(root, "prepare", dataset=dataset))


def in_child(part: str, root: Path) -> dict[str, Any]:
    """`child` in a fresh interpreter, its imports outside the clock."""
    command = [sys.executable, "-P", __file__, "--child", part, str(root)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def encoded_mb(root: Path) -> float:
    """Size of the encoded arrays on disk."""
    return sum(path.stat().st_size for path in (root / "data" / "encoded").glob("*.npy")) / 1e6


def memory() -> str:
    """Peak memory of the train job on the real tables, against 3 x the encoded data + 600 MB."""
    lines = ["| table | encoded MB | peak MB | allowed MB |", "| --- | --- | --- | --- |"]
    for name in ("penguins", "adult", "california"):
        with tempfile.TemporaryDirectory() as folder:
            root, source = Path(folder), SOURCES[name]
            result = prepared(root, DATA / source.file, source, 0)
            architecture, training = recommended(source, result, 0)
            _write_documents(root, architecture, {**training, "epochs": 2})
            peak, size = in_child("train", root)["peak_mb"], encoded_mb(root)
            lines.append(f"| {name} | {size:.0f} | {peak:.0f} | {3 * size + 600:.0f} |")
    return "\n".join(["### Peak memory of the train job", "", *lines])


def _write_documents(root: Path, architecture: dict[str, Any], training: dict[str, Any]) -> None:
    (root / "train.json").write_text(json.dumps({"architecture": architecture, "training": training}))


def million() -> str:
    """Read, profile, encode and train one epoch of a million rows x 20 columns, recommended settings."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_million(root / "table.csv")
        steps = {part: in_child(part, root) for part in ("read", "profile", "prepare")}
        result = steps["prepare"]["result"]
        source = Source("", "y", "binary")
        architecture, training = recommended(source, result, 0)
        _write_documents(root, architecture, {**training, "epochs": 1})
        steps["one epoch"] = in_child("train", root)
        size = encoded_mb(root)
    total = sum(step["seconds"] for step in steps.values())
    asked = total - steps["prepare"]["seconds"]
    lines = ["| step | seconds | CPU s of the process | peak MB |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {step['seconds']:.1f} | {step['cpu']:.1f} | {step['peak_mb']:.0f} |"
        for name, step in steps.items()
    ]
    lines += [
        f"| read + profile + one epoch (target: at most 60) | {asked:.1f} | | |",
        f"| with encoding | {total:.1f} | | |",
    ]
    shape = f"{MILLION:,} rows x {COLUMNS} columns, encoded {size:.0f} MB (3 x + 600 = {3 * size + 600:.0f} MB), "
    shape += f"batch {training['batch']}, {architecture['members']} members, one thread."
    return "\n".join(["### A million rows", "", shape, "", *lines])


def write_million(path: Path) -> None:
    """A table of 16 numbers, 4 categories and a learnable yes/no target."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(MILLION, COLUMNS - 4)).astype(np.float32)
    columns: dict[str, Any] = {f"n{i}": np.round(numbers[:, i], 4) for i in range(COLUMNS - 4)}
    for i, levels in enumerate((3, 8, 20, 300)):
        columns[f"c{i}"] = [f"level {level}" for level in generator.integers(0, levels, MILLION)]
    score = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + 0.5 * generator.normal(size=MILLION)
    columns["y"] = np.where(score > 0, "yes", "no")
    pl.DataFrame(columns).write_csv(path)


# --- quality -------------------------------------------------------------------------------------------------


def quality() -> str:
    """Test score of the recommended network and of scikit-learn's MLP and trees, the same rows, three seeds."""
    lines = [
        "| table (metric) | seed | ours | scikit-learn MLP | the same, early stopping | trees | fit s (CPU s) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, source in SOURCES.items():
        for seed in (0, 1, 2):
            with tempfile.TemporaryDirectory() as folder:
                lines.append(_compared(Path(folder), name, source, seed))
                print(lines[-1], flush=True)
    return "\n".join(["### Quality on the test split, defaults", "", *lines])


def _compared(root: Path, name: str, source: Source, seed: int) -> str:
    result = prepared(root, DATA / source.file, source, seed)
    architecture, training = recommended(source, result, seed)
    begin, cpu = time.perf_counter(), time.process_time()
    train.run(job(root, "train", architecture=architecture, training=training, attempt_folder="attempts/1"))
    took = f"{time.perf_counter() - begin:.1f} ({time.process_time() - cpu:.1f})"
    table = load_prepared(root)
    rows = table.splits["test"]
    network = load_network(Architecture.from_dict(architecture), root / "attempts/1/models/weights.safetensors")
    inputs = {"numbers": torch.from_numpy(np.ascontiguousarray(table.numbers[rows]))}
    if table.categories.shape[1]:
        inputs["categories"] = torch.from_numpy(np.ascontiguousarray(table.categories[rows]))
    scores = [_score(source, table, predict(network, inputs).numpy()), *_others(source, table, seed)]
    metric = "RMSE" if source.task == "regression" else "accuracy"
    shown = " | ".join(f"{score:,.0f}" if metric == "RMSE" else f"{score:.4f}" for score in scores)
    return f"| {name} ({metric}) | {seed} | {shown} | {took} |"


def _score(source: Source, table: Any, predicted: np.ndarray[Any, Any]) -> float:
    truth = table.target[table.splits["test"]]
    if source.task != "regression":
        return float((predicted.argmax(1) == truth).mean())
    value = TargetScale.of(table.preprocessing).inverse(predicted)
    return float(((value - truth) ** 2).mean() ** 0.5)


def _others(source: Source, table: Any, seed: int) -> list[float]:
    """scikit-learn's MLP (default; early stopping) and histogram trees on the same encoded training rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    regression = source.task == "regression"
    train_rows, test_rows = table.splits["train"], table.splits["test"]
    columns = [table.numbers]
    columns += [
        np.eye(table.categories[:, i].max() + 1)[table.categories[:, i]] for i in range(table.categories.shape[1])
    ]
    x = np.concatenate(columns, 1)
    x = StandardScaler().fit(x[train_rows]).transform(x)
    y = TargetScale.of(table.preprocessing).forward(table.target) if regression else table.target
    network, trees = MLPClassifier, HistGradientBoostingClassifier
    if regression:
        network, trees = MLPRegressor, HistGradientBoostingRegressor
    models = [network(random_state=seed), network(random_state=seed, early_stopping=True), trees(random_state=seed)]
    scores = []
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x[train_rows], y[train_rows])
        found = model.predict(x[test_rows]) if regression else model.predict_proba(x[test_rows])
        scores.append(_score(source, table, found))
    return scores


def main() -> int:
    """Measure the parts asked for and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--child", nargs=2, metavar=("PART", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]))
        return 0
    asked = given.parts or PARTS
    if not DATA.exists():
        print(f"{DATA} is absent: only the part 'million' can run", file=sys.stderr)
        asked = [part for part in asked if part == "million"]
    load = os.getloadavg()[0]
    makers: dict[str, Callable[[], str]] = {
        "speed": lambda: speed(given.rounds), "memory": memory, "million": million, "quality": quality,
    }  # fmt: skip
    for part in asked:
        text = makers[part]()
        where = (
            f"{date.today()}, {os.cpu_count()} cores, load {load:.1f} at the start, Python {platform.python_version()}."
        )
        write_section(f"training-{part}", f"Training: {part}", f"{where}\n\n{text}")
        print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
