"""Importing has no effect, doors stay light, and our package names belong to us alone."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "app", "editors", "gpu_jobs", "mcp_server", "memory", "phases", "templates")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "golden" not in path.parts and path.name != "__main__.py"
)
HEAVY = (
    "torch",
    "langgraph",
    "polars",
    "sklearn",
    "onnxruntime",
    "matplotlib",
    "fastapi",
    "anthropic",
    "docker",
    "ray",
)
THIRD_PARTY = (
    "torch",
    "polars",
    "sklearn.linear_model",
    "sklearn.ensemble",
    "sklearn.metrics",
    "onnx",
    "onnxruntime",
    "matplotlib.figure",
    "langgraph.graph",
    "fastapi",
    "redis.asyncio",
    "rich.live",
    "torch.distributed",
)

EACH = """
import importlib, os, sys, warnings
for name in sys.argv[2].split(","):
    importlib.import_module(name)
warnings.simplefilter("error")
failed = []
for name in sys.argv[1].split(","):
    child = os.fork()
    if child == 0:
        before, here = dict(os.environ), sorted(os.listdir())
        try:
            importlib.import_module(name)
            changed = dict(os.environ) != before or sorted(os.listdir()) != here
            os._exit(2 if changed else 0)
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        failed.append(f"{name} ({'changed its surroundings' if code == 2 else 'failed'})")
print("; ".join(failed) or "fine")
"""


def python(code: str, *args: str, cwd: Path) -> str:
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code, *args], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_every_module_imports_without_warning_output_or_effect(tmp_path: Path) -> None:
    assert python(EACH, ",".join(MODULES), ",".join(THIRD_PARTY), cwd=tmp_path) == "fine"


@pytest.mark.parametrize("module", ["app.cli", "app.cli.run", "app.wiring", "phases.services.runs"])
def test_a_door_imports_nothing_heavy(module: str, tmp_path: Path) -> None:
    code = f"import json, sys; import {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(python(code, cwd=tmp_path))}
    assert not loaded & set(HEAVY)


def test_the_runner_imports_no_training_library(tmp_path: Path) -> None:
    code = (
        "import json, sys; import app.runner, phases.setup, phases.configure, phases.train, phases.validate; "
        "import phases.deploy; print(json.dumps(sorted(sys.modules)))"
    )
    loaded = {name.split(".")[0] for name in json.loads(python(code, cwd=tmp_path))}
    assert not loaded & {"torch", "polars", "sklearn", "onnxruntime", "matplotlib"}


def test_the_job_host_is_light_until_a_job_needs_more(tmp_path: Path) -> None:
    code = "import json, sys; import gpu_jobs.host, gpu_jobs.host.loop; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(python(code, cwd=tmp_path))}
    assert not loaded & {"torch", "polars", "pydantic", "redis", "numpy"}


def test_no_other_installed_distribution_ships_one_of_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, [])) <= {"neuroloom"}, f"{package!r} is also shipped by {owners[package]}"


def test_the_independent_re_evaluation_shares_no_code_with_the_product() -> None:
    folder = ROOT / "tests" / "acceptance"
    for path in [folder / "reevaluate.py", *(folder / "reevaluation").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not {name.split(".")[0] for name in named} & {*PACKAGES, "torch", "sklearn"}, path.name
