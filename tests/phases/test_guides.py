"""The guide and the Prometheus files tell where a version is served now, and what there is to go back to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.decisions import DeploymentPlan
from phases import guides
from phases.supervisor import records
from phases.supervisor.client import DeployRequest

PLAN = DeploymentPlan(reason="r", evidence={}, name="birds", version="1.1.0", keep_previous=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "r-1"
    for name in guides.MODEL_FILES:
        (folder / "models").mkdir(parents=True, exist_ok=True)
        (folder / "models" / name).write_bytes(b"model")
    (folder / "tests").mkdir()
    stored = {"rows": [{"x": 1}], "predictions": [{"label": "a"}]}
    (folder / "tests" / "validation_rows.json").write_text(json.dumps(stored))
    return folder


def _served(home: Path, version: str, previous: str | None = None, **more: Any) -> None:
    def asked(wanted: str) -> DeployRequest:
        return DeployRequest(name="birds", version=wanted, run_id="r-1", intent=f"r-1-{wanted}", serve="s", models="m",
                             example_request={})  # fmt: skip

    before = asked(previous) if previous else None
    fields = {"status": "serving", "current": asked(version), "previous": before, **more}
    records.save(home, records.Record(name="birds", port=8123, **fields))


def _written(root: Path, home: Path) -> tuple[str, str, str]:
    guides.write(root, home, PLAN)
    scrape = (root / "monitoring" / "prometheus.yml").read_text()
    (job,) = yaml.safe_load(scrape)["scrape_configs"]
    assert job["job_name"] == "birds"
    rules = (root / "monitoring" / "rules.yml").read_text()
    assert 'up{job=\\"birds\\"}' in rules
    return (root / "docs" / "DEPLOYMENT.md").read_text(), scrape, job["static_configs"][0]["targets"][0]


def test_a_served_version_is_told_with_its_address_and_the_version_before(root: Path, tmp_path: Path) -> None:
    _served(tmp_path, "1.1.0", "1.0.0")
    guide, scrape, target = _written(root, tmp_path)
    assert "served it at `http://127.0.0.1:8123`" in guide and "curl -s http://127.0.0.1:8123/predict" in guide
    assert "`neuroloom rollback birds` returns to 1.0.0" in guide
    assert target == "127.0.0.1:8123" and "did not serve" not in scrape


def test_without_a_version_before_there_is_none_to_return_to(root: Path, tmp_path: Path) -> None:
    _served(tmp_path, "1.1.0")
    guide, _, _ = _written(root, tmp_path)
    assert "there is none to return to" in guide and "neuroloom undeploy birds" in guide


@pytest.mark.parametrize("case", ["nothing", "another version", "stopped"])
def test_a_version_that_is_not_served_is_not_said_to_be(root: Path, tmp_path: Path, case: str) -> None:
    if case == "another version":
        _served(tmp_path, "1.0.0", "0.9.0")
    if case == "stopped":
        _served(tmp_path, "1.1.0", "1.0.0", status="stopped")
    guide, scrape, target = _written(root, tmp_path)
    assert "Neuroloom did not serve it" in guide and "8123" not in guide
    assert "which is kept" not in guide and "none to return to" not in guide
    assert target == "127.0.0.1:8000" and "# Neuroloom did not serve it" in scrape
