"""From a table to a served model with the real command, and what it left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from memory.keys import CATALOGUE
from memory.measurement import Measurement
from tests.journeys.conftest import PENGUINS, House


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    """The `--json` document of a run on penguins."""
    return house.document("run", PENGUINS, "--target", "species", "--goal", "which penguin", "--min-accuracy", "0.9")


def test_the_document_has_exactly_the_agreed_keys(document: dict[str, Any]) -> None:
    assert list(document) == [
        "run_id", "status", "phases", "metrics", "baselines", "importance", "model", "deployment", "report",
        "workspace", "error",
    ]  # fmt: skip
    assert (document["status"], document["error"]) == ("deployed", None)
    assert [phase["name"] for phase in document["phases"]] == ["setup", "configure", "train", "validate", "deploy"]
    for phase in document["phases"]:
        assert phase["status"] == "passed" and phase["gate"]
        for check in phase["gate"]:
            assert {"name", "measured", "comparison", "threshold", "passed", "blocking"} <= set(check)


def test_every_metric_says_where_it_was_measured(document: dict[str, Any]) -> None:
    assert {"accuracy", "log_loss", "latency_p95_ms", "throughput_rps", "memory_mb", "gap"} <= set(document["metrics"])
    for name, found in document["metrics"].items():
        measured = Measurement.model_validate(found)
        assert measured.provenance.run == document["run_id"], name
    assert document["metrics"]["accuracy"]["provenance"]["split"] == "test"


def test_the_stated_requirement_is_a_blocking_check(document: dict[str, Any]) -> None:
    gate = document["phases"][3]["gate"]
    stated = [check for check in gate if check["blocking"] and check["threshold"] == 0.9]
    assert len(stated) == 1 and stated[0]["passed"]


def test_the_endpoint_answers_the_example_row(document: dict[str, Any]) -> None:
    deployment = document["deployment"]
    body = json.dumps(deployment["example_request"]).encode()
    request = urllib.request.Request(f"{deployment['url']}/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    assert found["model"]["name"] == "penguins"
    assert abs(sum(found["predictions"][0]["probabilities"].values()) - 1) < 1e-5


def test_the_guide_and_the_scrape_target_name_the_served_address_and_the_request_works_when_pasted(
    document: dict[str, Any],
) -> None:
    root, url = Path(document["workspace"]), document["deployment"]["url"]
    guide = (root / "docs" / "DEPLOYMENT.md").read_text()
    command = re.findall(r"```sh\n(curl .*?)\n```", guide, re.DOTALL)[0]
    asked = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    shown = json.loads(re.findall(r"```json\n(.*?)\n```", guide, re.DOTALL)[0])
    found = json.loads(asked.stdout)["predictions"][0]
    assert found["label"] == shown["predictions"][0]["label"]
    assert found["probabilities"] == pytest.approx(shown["predictions"][0]["probabilities"], abs=1e-5)
    assert f"served it at `{url}`" in guide and "no version before" in guide.lower()
    scrape = (root / "monitoring" / "prometheus.yml").read_text()
    assert f'"{url.removeprefix("http://")}"' in scrape and 'job_name: "penguins"' in scrape


def test_memory_holds_every_key_of_the_process(house: House, document: dict[str, Any]) -> None:
    names = set(json.loads(house.say("memory", "list", "--json").stdout)["keys"])
    absent = {name for name in CATALOGUE if name not in names}
    assert not absent - {"error", "steering"}
    assert json.loads(house.say("memory", "get", "training-status", "--json").stdout)
    complete = house.document("memory", "get", "phase4-complete")
    assert (complete.get("value") or complete)["test_reads"] == 1


def test_the_published_script_validates_model_and_endpoint(document: dict[str, Any]) -> None:
    script = Path(document["workspace"]) / "tests" / "validation.py"
    command = [sys.executable, "-P", str(script), "--url", document["deployment"]["url"]]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "answers as it was tested" in ran.stdout


def test_the_training_script_reproduces_the_test_metric(document: dict[str, Any]) -> None:
    script = Path(document["workspace"]) / "scripts" / "train.py"
    ran = subprocess.run([sys.executable, "-P", str(script)], capture_output=True, text=True, timeout=170, cwd="/")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_report_is_one_file_that_needs_nothing_from_outside(document: dict[str, Any]) -> None:
    page = Path(document["report"]).with_suffix(".html").read_text()
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)
    assert "<svg" in page and document["run_id"] in page
    assert f"{document['metrics']['accuracy']['value']:.4f}" in page


def test_predictions_for_a_file_are_written_beside_its_rows(house: House, document: dict[str, Any]) -> None:
    out = house.workspace / "predicted.csv"
    house.say("predict", "penguins", PENGUINS, "--out", out)
    lines = out.read_text().splitlines()
    assert lines[0].endswith("prediction,p(Adelie),p(Chinstrap),p(Gentoo)") and len(lines) == 345
    right = sum(line.split(",")[0] == line.split(",")[7] for line in lines[1:])
    assert right / 344 > 0.9
