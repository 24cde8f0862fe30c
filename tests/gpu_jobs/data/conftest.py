"""Tables made by seed, files made from them, and the three jobs on a root folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gpu_jobs.data.prepare import Preparation
from gpu_jobs.data.profile import profile
from gpu_jobs.data.snapshot import snapshot

Ingest = Callable[..., dict[str, Any]]
WORDS = ["river", "stone", "bright", "engine", "seven", "market", "quiet", "winter", "copper", "field", "ocean"]


def sentences(random: np.random.Generator, count: int, extra: np.ndarray | None = None) -> list[str]:
    """Random texts of 4 to 12 words; where `extra` is true one of them is a telling word."""
    texts = []
    for i in range(count):
        words = list(random.choice(WORDS, random.integers(4, 12)))
        if extra is not None and extra[i]:
            words[0] = random.choice(["excellent", "wonderful"])
        texts.append(" ".join(words))
    return texts


def people(count: int = 300, seed: int = 0) -> pl.DataFrame:
    """Every kind of column: numbers with gaps, a category, yes/no, a date, a text, and a class of three."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, count)
    income = np.round(random.lognormal(8, 1, count), 2)
    city = random.choice(["Berlin", "Lima", "Oslo"], count)
    kind = np.where(age > 55, "old", np.where(income > 4000, "rich", "other"))
    gaps = random.random(count) < 0.1
    days = np.datetime64("2021-01-01") + random.integers(0, 900, count).astype("timedelta64[D]")
    return pl.DataFrame(
        {
            "age": age,
            "income": [None if gap else float(x) for gap, x in zip(gaps, income, strict=True)],
            "city": [None if random.random() < 0.05 else str(c) for c in city],
            "member": random.choice(["yes", "no"], count),
            "since": days.astype(str),
            "remark": sentences(random, count, kind == "rich"),
            "kind": kind,
        }
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file with this content and gives its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def ingest(tmp_path: Path, write: Callable[[str, str | bytes], Path]) -> Ingest:
    """Snapshots content (or a path) under <tmp>/run and gives the result."""

    def ingest(content: str | bytes | Path, name: str = "table.csv", **more: Any) -> dict[str, Any]:
        path = content if isinstance(content, Path) else write(name, content)
        roles: dict[str, Path] = {role: more.pop(role) for role in ("validation", "test") if role in more}
        return snapshot({"data": path, **roles}, tmp_path / "run" / "data", more.get("missing"))

    return ingest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The sandbox root that `ingest` writes under."""
    return tmp_path / "run"


def columns_of(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """COLUMN facts by name."""
    return {column["name"]: column for column in result["columns"]}


def stored(root: Path) -> pl.DataFrame:
    """The snapshot's values."""
    return pl.read_parquet(root / "data" / "snapshot.parquet")


def dataset(root: Path, target: str, task: str, **more: Any) -> dict[str, Any]:
    """A plain dataset decision over every column but the target and `without`."""
    facts = json.loads((root / "data" / "snapshot.json").read_text())
    out = {target, *more.pop("without", [])}
    features = [{"name": c["name"], "kind": c["type"]} for c in facts["columns"] if c["name"] not in out]
    method = more.pop("method", "random" if task == "regression" else "stratified")
    wanted = {"method": method, "fractions": [0.64, 0.16, 0.2], "seed": more.pop("seed", 0)}
    wanted |= {key: more.pop(key) for key in ("group", "time") if key in more}
    base = {"task": task, "target": target, "features": features, "labels": None, "positive": None}
    return {**base, "split": wanted, "target_transform": "none", "missing": [], **more}


def prepare(root: Path, target: str, task: str, **more: Any) -> dict[str, Any]:
    """The prepare job's result for such a decision."""
    return Preparation(root, dataset(root, target, task, **more)).run()


def profiled(root: Path, **args: Any) -> dict[str, Any]:
    """The profile job's result."""
    return profile(root, args)
