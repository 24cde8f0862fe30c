"""Every number of a run, wherever it stands, is found again by independent code from what the run kept."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import PENGUINS, House

REEVALUATE = Path(__file__).resolve().parents[1] / "acceptance" / "reevaluate.py"
pytestmark = pytest.mark.timeout(900)
Told = tuple[dict[str, Any], dict[str, Any]]


def reevaluate(folder: Path, document: dict[str, Any], memory: dict[str, Any]) -> tuple[int, str]:
    """Exit code of the independent script, and what it said."""
    (folder / "document.json").write_text(json.dumps(document))
    (folder / "memory.json").write_text(json.dumps(memory))
    files = ["--document", folder / "document.json", "--memory", folder / "memory.json"]
    command = [sys.executable, "-P", "-W", "error", REEVALUATE, document["workspace"], *files]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=380)
    return ran.returncode, ran.stdout + ran.stderr


def prices(path: Path, rows: int, seed: int) -> Path:
    """Write a seeded table with a skewed target and missing cells."""
    draw = random.Random(seed)
    lines = ["area,rooms,kind,age,price"]
    for _ in range(rows):
        area, rooms, age = draw.uniform(20, 200), draw.randint(1, 7), draw.randint(0, 90)
        kind = draw.choice(["flat", "house", "loft"])
        price = area * 900 * (1.6 if kind == "house" else 1.0) * draw.lognormvariate(0, 0.15) - age * 200
        shown = "" if draw.random() < 0.05 else f"{area:.1f}"
        lines.append(f"{shown},{rooms},{kind},{age},{max(price, 5000):.0f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def told(house: House) -> Told:
    """A regression on such a table: its `--json` document and its memory."""
    path = prices(house.workspace / "prices.csv", 500, 5)
    document = house.document("run", path, "--target", "price", "--max-rmse", "200000")
    return document, house.memory(document["run_id"])


def test_every_number_of_a_classification_is_found_again(house: House, tmp_path: Path) -> None:
    document = house.document(
        "run", PENGUINS, "--target", "species", "--goal", "which penguin", "--min-accuracy", "0.9"
    )
    code, said = reevaluate(tmp_path, document, house.memory(document["run_id"]))
    assert code == 0, said


def test_every_number_of_a_regression_is_found_again(told: Told, tmp_path: Path) -> None:
    code, said = reevaluate(tmp_path, *told)
    assert code == 0, said


def changed(path: Path, old: str, new: str) -> str:
    """Replace text in a file; the text that it held before."""
    text = path.read_text()
    assert old in text, f"{path.name} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1))
    return text


def test_a_number_changed_in_any_place_is_named(told: Told, tmp_path: Path) -> None:
    document, memory = json.loads(json.dumps(told))
    root = Path(document["workspace"])
    rmse = memory["validation"]["metrics"]["rmse"]["value"]
    document["metrics"]["latency_p95_ms"]["value"] += 1
    document["phases"][3]["gate"][0]["measured"] += 1
    memory["training-metrics"]["validation_loss"]["value"] += 0.01
    memory["phase4-complete"]["gate"][2]["passed"] = False
    memory["benchmark-results"]["memory_mb"]["provenance"]["job"] = "somewhere"
    memory["candidate-scores"]["importance"][0]["drop"]["interval"][0] -= 5
    memory["state"]["phases"][2]["seconds"] += 1
    memory["note"] = {"score": 0.99}
    before = {
        path: changed(path, old, new)
        for path, old, new in (
            (root / "reports" / "performance-report.md", "| RMSE | ", "| RMSE | 9"),
            (root / "reports" / "performance-report.html", f'value="{rmse!r}"', f'value="{rmse + 1!r}"'),
            (root / "models" / "MODEL_CARD.md", " train, ", "7 train, "),
            (root / "models" / "model-metadata.json", f'"value": {rmse!r}', f'"value": {rmse * 1.01!r}'),
        )
    }
    try:
        code, said = reevaluate(tmp_path, document, memory)
    finally:
        for path, text in before.items():
            path.write_text(text)
    assert code == 1
    for named in (
        "--json metrics latency_p95_ms value",
        "--json phases 3 gate 0 measured",
        "memory training-metrics validation_loss value",
        "gate validate latency_p95_ms: judged False",
        "there is no job 'somewhere'",
        "memory candidate-scores importance 0 drop interval 0",
        "state train seconds",
        "memory note: its numbers have no source",
        "report.md: 9",
        f"report.html: the value {rmse + 1!r} has no source",
        "MODEL_CARD.md:",
        "metadata metrics rmse value",
    ):
        assert named in said, f"{named!r} is not named:\n{said}"


def test_a_run_of_several_attempts_tells_the_numbers_of_the_chosen_one(house: House, tmp_path: Path) -> None:
    asked = ("--target", "species", "--min-accuracy", "0.9999", "--name", "several")
    rejected = house.document("run", PENGUINS, *asked, code=2)
    run = rejected["run_id"]
    refused_numbers_are_found_again(rejected, house.memory(run), tmp_path)
    house.say("deploy", run, "--override", "--why", "to see its numbers")
    memory = house.memory(run)
    assert len(memory["attempts"]) == 3
    code, said = reevaluate(tmp_path, house.document("show", run), memory)
    assert code == 0, said


def refused_numbers_are_found_again(rejected: dict[str, Any], memory: dict[str, Any], folder: Path) -> None:
    """The same before anything was published; and a changed number is named there too."""
    code, said = reevaluate(folder, rejected, memory)
    assert code == 0, said
    message = rejected["error"]["message"]
    measured = f"{rejected['metrics']['accuracy']['value']:.4f}"
    assert measured in message
    rejected["error"]["message"] = message.replace(measured, "0.9998")
    memory["gate-validate"][0]["measured"]["value"] += 0.01
    code, said = reevaluate(folder, rejected, memory)
    assert code == 1
    for named in ("--json error tells other figures", "gate-validate 0 measured value"):
        assert named in said, said


def test_every_number_of_a_retrained_run_is_found_again_and_a_changed_one_of_the_champion_is_named(
    house: House, told: Told, tmp_path: Path
) -> None:
    fresh = prices(house.workspace / "fresh.csv", 700, 6)
    document = house.document("retrain", told[0]["deployment"]["name"], fresh, code=None)
    memory = house.memory(document["run_id"])
    assert memory["validation"]["champion"]["rows"] >= 100, "both were scored"
    code, said = reevaluate(tmp_path, document, memory)
    assert code == 0, said
    results = Path(document["workspace"]) / "reports" / "results.json"
    held = json.loads(results.read_text())
    held["test"]["champion"]["champion"]["rmse"]["value"] *= 1.01
    held["test"]["champion"]["excluded"] += 1
    memory["validation"]["champion"]["difference"]["value"] += 5
    before = results.read_text()
    results.write_text(json.dumps(held))
    try:
        code, said = reevaluate(tmp_path, document, memory)
    finally:
        results.write_text(before)
    assert code == 1
    for named in (
        "test champion champion rmse",
        "test champion excluded",
        "memory validation champion difference value",
    ):
        assert named in said, f"{named!r} is not named:\n{said}"
