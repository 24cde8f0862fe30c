"""Does penguins still answer as it was tested? Generated for run r-20261121-094501-k3f9.

    python -P tests/validation.py                                  # the model file, in this process
    python -P tests/validation.py --url http://127.0.0.1:8000      # and an endpoint

Predicts the stored test rows of validation_rows.json again and compares with what was predicted when the model was
tested; scores them where the truth is stored. Exit status: 0 passed, 1 not passed, 2 cannot be checked. It needs only
requirements.txt and no network, trains nothing, and changes no file.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import math
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TOLERANCE = 0.0001  # relative to the larger of 1 and the stored value
BATCH = 100  # rows a request
WORKSPACE = Path(__file__).resolve().parent.parent


def read(path: Path) -> Any:
    """A JSON file of the workspace."""
    return json.loads(path.read_text(encoding="utf-8"))


def load_rows_code(folder: Path) -> Any:
    """The package that turns rows into arrays, as the server uses it."""
    path = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location("rows", path, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{folder} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules["rows"] = module
    spec.loader.exec_module(module)
    return module


def by_model(rows: list[dict[str, Any]], workspace: Path) -> list[dict[str, Any]]:
    """Predictions of models/model.onnx in this process."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    encoder = load_rows_code(workspace / "scripts" / "rows").load(read(workspace / "models" / "preprocessing.json"))
    model = str(workspace / "models" / "model.onnx")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    encoded = encoder.encode(rows)
    return encoder.decode(session.run(None, {name: encoded[name] for name in names})[0])


def by_endpoint(rows: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    """Predictions of POST /predict, in requests of 100 rows."""
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(rows), BATCH):
        body = json.dumps(rows[start : start + BATCH]).encode()
        request = urllib.request.Request(f"{url.rstrip('/')}/predict", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            predictions += json.load(answer)["predictions"]
    return predictions


def numbers(prediction: dict[str, Any]) -> dict[str, float]:
    """What of a prediction is compared: each probability, or the value."""
    return prediction.get("probabilities") or {"value": prediction["value"]}


def difference(found: dict[str, Any], stored: dict[str, Any]) -> float:
    """The largest relative difference between two predictions; infinite when they name other classes."""
    here, there = numbers(found), numbers(stored)
    if here.keys() != there.keys():
        return math.inf
    return max(abs(here[key] - there[key]) / max(1.0, abs(there[key])) for key in there)


def score(predictions: list[dict[str, Any]], truth: list[Any]) -> str:
    """Accuracy, or root mean squared error, on the stored rows."""
    if "label" in predictions[0]:
        right = sum(p["label"] == str(t) for p, t in zip(predictions, truth, strict=True))
        return f"accuracy {right / len(truth):.4f}"
    squares = [(p["value"] - float(t)) ** 2 for p, t in zip(predictions, truth, strict=True)]
    return f"RMSE {math.sqrt(sum(squares) / len(squares)):.6g}"


def compare(what: str, found: list[dict[str, Any]], stored: dict[str, Any], tolerance: float) -> bool:
    """Print one line: do these predictions equal the stored ones, and how good are they?"""
    worst = max(difference(f, s) for f, s in zip(found, stored["predictions"], strict=True))
    passed = worst <= tolerance
    scored = f", {score(found, stored['truth'])}" if stored.get("truth") else ""
    verdict = "passed" if passed else "NOT PASSED"
    print(f"{verdict}  {what}: {len(found)} test rows, largest difference {worst:.2e} (allowed {tolerance:g}){scored}")
    return passed


def files_intact(workspace: Path) -> bool:
    """Do the model's files have the hashes that model-metadata.json states?"""
    path = workspace / "models" / "model-metadata.json"
    if not path.is_file():
        print("skipped  file hashes: models/model-metadata.json is not there")
        return True
    stated = read(path)["files"]
    wrong = [n for n, sha in stated.items() if hashlib.sha256((path.parent / n).read_bytes()).hexdigest() != sha]
    print(f"NOT PASSED  changed since the test: {', '.join(wrong)}" if wrong else f"passed  {len(stated)} files are unchanged")
    return not wrong


def main() -> int:
    """Check files, model and endpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the endpoint to check too, such as http://127.0.0.1:8000")
    parser.add_argument("--workspace", type=Path, default=WORKSPACE)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    given = parser.parse_args()
    try:
        stored = read(given.workspace / "tests" / "validation_rows.json")
        passed = files_intact(given.workspace)
        passed &= compare("model.onnx", by_model(stored["rows"], given.workspace), stored, given.tolerance)
        if given.url:
            passed &= compare(given.url, by_endpoint(stored["rows"], given.url), stored, given.tolerance)
    except (OSError, ValueError, KeyError, urllib.error.URLError) as error:
        print(f"cannot be checked: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print("The model answers as it was tested." if passed else "The model does NOT answer as it was tested.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
