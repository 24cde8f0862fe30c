"""A published workspace on its own, in environments that hold its requirements and nothing of ours.

Both environments are real ones, installed by pip from a package index as the workspace's guide says; no package of the
environment that runs the tests is linked in. The training one takes the torch that pip finds here, as `make` did: where
that is a build for accelerators, it is gigabytes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import PENGUINS, House

pytestmark = [pytest.mark.needs("package index"), pytest.mark.slow, pytest.mark.timeout(600)]
BARE = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NEUROLOOM", "VIRTUAL_ENV"))
}


@pytest.fixture(scope="module")
def workspace(house: House) -> Path:
    return Path(house.document("run", PENGUINS, "--target", "species", "--no-deploy")["workspace"])


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="nlenv-")
    yield Path(folder)
    subprocess.run(["setsid", "--fork", "rm", "-rf", folder], check=True)  # thousands of files: nobody waits for that


def environment(folder: Path, *install: str) -> Path:
    """The Python of a new virtual environment with exactly these requirements."""
    made = [sys.executable, "-m", "venv", str(folder)]
    for command in (made, [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *install]):
        ran = subprocess.run(command, env=BARE, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder / "bin" / "python"


def importable(python: Path, *names: str) -> list[str]:
    """Which of these modules an environment has."""
    code = (
        "import importlib.util, json, sys; print(json.dumps([n for n in sys.argv[1:] if importlib.util.find_spec(n)]))"
    )
    said = subprocess.run([python, "-P", "-c", code, *names], env=BARE, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(said.stdout)
    return found


def test_server_and_validation_run_with_only_the_serving_requirements(workspace: Path, scratch: Path) -> None:
    hashed = ["--require-hashes", "--only-binary=:all:", "-r", str(workspace / "requirements.txt")]
    python = environment(scratch / "serve", *hashed)
    assert importable(python, "torch", "gpu_jobs", "phases", "polars", "onnxruntime") == ["onnxruntime"]
    with socket.create_server(("127.0.0.1", 0)) as listening:  # it queues what is asked before the server is ready
        handed, port = listening.fileno(), listening.getsockname()[1]
        script = [str(python), "-P", str(workspace / "scripts" / "serve.py"), "--fd", str(handed)]
        server = subprocess.Popen(script, env=BARE, cwd="/", pass_fds=[handed])
    try:
        check = [str(python), "-P", str(workspace / "tests" / "validation.py"), "--url", f"http://127.0.0.1:{port}"]
        ran = subprocess.run(check, env=BARE, cwd="/", capture_output=True, text=True, timeout=60)
    finally:
        server.terminate()
        assert server.wait(90) == 0
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The model answers as it was tested." in ran.stdout


def test_training_again_with_only_its_requirements_gives_the_same_test_metric(workspace: Path, scratch: Path) -> None:
    python = environment(scratch / "train", "-r", str(workspace / "requirements-train.txt"))
    assert importable(python, "torch", "gpu_jobs", "phases", "langgraph", "redis") == ["torch"]
    out = scratch / "retrained"
    command = [str(python), "-P", str(workspace / "scripts" / "train.py"), "--out", str(out)]
    ran = subprocess.run(command, env=BARE, cwd="/", capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    compared = [line.split() for line in ran.stdout.splitlines() if line.startswith(("same ", "OTHER"))]
    assert len(compared) > 5
    for word, name, _, here, _, there in compared:
        assert (word, here) == ("same", there), name
