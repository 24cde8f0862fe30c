"""What is generated, taken by the tools that will take it: compilers, linters, parsers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import templates
from tests.templates.cases import CASES

FOLDER = Path(templates.__file__).parent
ROOT = FOLDER.parent


def _goldens(ending: str) -> list[Path]:
    found = [FOLDER / golden for golden in CASES if golden.endswith(ending)]
    assert found
    return found


@pytest.mark.parametrize("path", _goldens(".py"), ids=lambda path: path.name)
def test_generated_python_compiles_without_a_warning(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_generated_python_is_clean_to_the_linter() -> None:
    rules = "E4,E7,E9,F,B,I,UP,C90,S102,S301,S307,S602,S605"
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", rules]
    done = subprocess.run([*command, *map(str, _goldens(".py"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("path", _goldens(".sh"), ids=lambda path: path.name)
def test_generated_shell_is_clean_to_shellcheck(path: Path) -> None:
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", _goldens(".yml"), ids=lambda path: path.name)
def test_generated_yaml_parses(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", _goldens(".json"), ids=lambda path: path.name)
def test_generated_json_parses_strictly(path: Path) -> None:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_the_alert_rules_name_only_metrics_that_the_server_counts() -> None:
    rules = yaml.safe_load((FOLDER / "monitoring/golden/rules.yml").read_text(encoding="utf-8"))
    expressions = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    server = (FOLDER / "serve/golden/serve.py").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(inference_[a-z_]+)\b", expressions))
    assert named == {"inference_latency_seconds_bucket", "inference_requests_total"}
    for metric in named:
        assert f'"{re.sub("_(bucket|total)$", "", metric)}"' in server


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_rules_and_the_scrape_configuration(tmp_path: Path) -> None:
    for name in ("rules.yml", "prometheus.yml"):
        (tmp_path / name).write_text((FOLDER / "monitoring" / "golden" / name).read_text(encoding="utf-8"))
    for kind, name in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        done = subprocess.run(["promtool", "check", kind, name], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("promtool")
def test_every_alert_fires_when_it_should_and_for_this_endpoint_only(tmp_path: Path) -> None:
    rules = FOLDER / "monitoring" / "golden" / "rules.yml"
    names = [rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"][1:]]
    troubled = {job: _series(job) for job in ("penguins", "another")}
    quiet = {"input_series": troubled["another"], "alert_rule_test": [_alert(name, fires=False) for name in names]}
    loud = {"input_series": troubled["penguins"], "alert_rule_test": [_alert(name, fires=True) for name in names]}
    document = {"rule_files": [str(rules)], "tests": [{"interval": "1m", **one} for one in (quiet, loud)]}
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(["promtool", "test", "rules", "alerts.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _series(job: str) -> list[dict[str, str]]:
    """An hour of an endpoint that is down, slow, failing, refusing rows and too large, as its last scrapes tell."""
    counted = {"200": "0+10x70", "422": "0+10x70", "500": "0+10x70"}
    slow = {"0.02": "0+0x70", "0.1": "0+30x70", "+Inf": "0+30x70"}
    return [
        {"series": f'up{{job="{job}"}}', "values": "0x70"},
        {"series": f'process_resident_memory_bytes{{job="{job}"}}', "values": "900000000x70"},
        *({"series": f'inference_requests_total{{job="{job}",code="{k}"}}', "values": v} for k, v in counted.items()),
        *(
            {"series": f'inference_latency_seconds_bucket{{job="{job}",le="{k}"}}', "values": v}
            for k, v in slow.items()
        ),
    ]


def _alert(name: str, *, fires: bool) -> dict[str, object]:
    """What is expected of an alert after an hour; its texts and labels are those of the rules."""
    rules = yaml.safe_load((FOLDER / "monitoring" / "golden" / "rules.yml").read_text(encoding="utf-8"))
    rule = next(rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == name)
    job = {"job": "penguins"} if name in ("ModelDown", "LatencyHigh", "ResourceLimit") else {}
    expected = {"exp_labels": {**rule["labels"], **job}, "exp_annotations": rule["annotations"]}
    return {"eval_time": "1h", "alertname": name, "exp_alerts": [expected] if fires else []}


@pytest.mark.parametrize("path", _goldens("Dockerfile"), ids=lambda path: path.name)
def test_the_image_is_built_as_every_builder_can_and_runs_as_nobody(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not lines[0].startswith("# syntax=")
    assert not [line for line in lines if "--mount" in line or "apt-get" in line]
    assert next(line for line in lines if not line.startswith("#")).startswith("ARG BASE=")
    assert "USER 10001:10001" in lines
    assert lines.index("USER 10001:10001") > max(i for i, line in enumerate(lines) if line.startswith(("COPY", "RUN")))
    for line in lines:
        if line.startswith("COPY [") or line.startswith("CMD ["):
            json.loads(line.split(" ", 1)[1])


def test_what_the_image_copies_is_let_through_by_the_dockerignore() -> None:
    for docker, ignore in (("Dockerfile", "penguins.dockerignore"), ("attempt.Dockerfile", "attempt.dockerignore")):
        lines = (FOLDER / "dockerfile/golden" / docker).read_text(encoding="utf-8").splitlines()
        sources = [s for line in lines if line.startswith("COPY [") for s in json.loads(line[5:])[:-1]]
        allowed = (FOLDER / "dockerignore/golden" / ignore).read_text(encoding="utf-8").splitlines()
        assert {f"!{s}/*.py" if s.endswith("rows") else f"!{s}" for s in sources} <= set(allowed)


def test_the_serving_requirements_are_exact_and_hashed_and_the_locked_ones() -> None:
    lock = (ROOT / "requirements" / "serve.txt").read_text(encoding="utf-8")
    text = (FOLDER / "requirements/golden/requirements.txt").read_text(encoding="utf-8")
    assert text.endswith(lock)
    entries = [entry for entry in re.split(r"\n(?=\S)", lock.replace("\\\n", " ")) if not entry.startswith("#")]
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"^[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry.strip()), entry
    assert "://" not in lock
    assert not {"torch", "neuroloom", "pandas", "polars"} & {entry.split("==")[0] for entry in entries}
