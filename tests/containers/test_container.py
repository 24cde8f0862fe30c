"""The generated Dockerfile built and run by a real Docker: it answers as tested, as nobody, and holds nothing more."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import SECRET, docker
from tests.ports import free_port

pytestmark = [pytest.mark.needs("docker", "package index"), pytest.mark.slow, pytest.mark.timeout(600)]


def asked(url: str, body: Any = None) -> Any:
    """What a server answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def until_ready(url: str) -> None:
    """Wait until the server answers; a minute is too long."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            asked(f"{url}/readyz")
        except (OSError, ValueError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} is not ready")


def published(container: str) -> str:
    return f"http://{docker('port', container, '8000/tcp').splitlines()[0]}"


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    """The image running, with the flags that `scripts/deploy.sh` gives."""
    name = f"{image}-run"
    shut = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    docker("run", "--detach", "--name", name, "--publish", "127.0.0.1::8000", *shut, "--memory", "256m", image)
    yield name
    docker("rm", "--force", name, code=None)


def test_the_container_answers_every_stored_row_as_tested(container: str, workspace: Path) -> None:
    url = published(container)
    until_ready(url)
    assert asked(f"{url}/healthz")["status"] == "ok"
    stored = json.loads((workspace / "tests" / "validation_rows.json").read_text())
    found = asked(f"{url}/predict", stored["rows"])["predictions"]
    assert len(found) == len(stored["predictions"]) > 50
    for one, other in zip(found, stored["predictions"], strict=True):
        assert one["label"] == other["label"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], rel=1e-4, abs=1e-6)


def test_it_runs_as_nobody_who_can_write_nothing(container: str) -> None:
    assert docker("exec", container, "id", "-u") == "10001"
    assert "Read-only file system" in docker("exec", container, "sh", "-c", "echo > /app/x", code=None)
    capabilities = docker("exec", container, "grep", "CapEff", "/proc/1/status")
    assert int(capabilities.split()[1], 16) == 0


def test_its_own_health_check_finds_it_well(container: str) -> None:
    until_ready(published(container))
    deadline = time.monotonic() + 45
    while (state := docker("inspect", "--format", "{{.State.Health.Status}}", container)) == "starting":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert state == "healthy"


def test_it_leaves_at_once_when_told_to(image: str) -> None:
    name = f"{image}-stopped"
    docker("run", "--detach", "--name", name, "--publish", "127.0.0.1::8000", image)
    try:
        until_ready(published(name))
        docker("stop", "--time", "8", name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
    finally:
        docker("rm", "--force", name, code=None)


def test_the_image_holds_the_server_and_the_model_and_nothing_else(image: str, workspace: Path) -> None:
    name = f"{image}-export"
    docker("create", "--name", name, image)
    try:
        exported = subprocess.run(["docker", "export", name], capture_output=True, check=True).stdout
    finally:
        docker("rm", name)
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        names = {member.name for member in tar if member.isfile()}
    rows = {f"app/scripts/rows/{path.name}" for path in (workspace / "scripts" / "rows").glob("*.py")}
    models = {f"app/models/{one}" for one in ("model.onnx", "preprocessing.json", "model-metadata.json")}
    assert {one for one in names if one.startswith("app/")} == {"app/scripts/serve.py"} | rows | models
    assert not [one for one in names if one.endswith((".parquet", ".npz", "splits.json", "validation_rows.json"))]
    assert not [one for one in names if one.startswith(("build/", "root/.cache", "opt/venv/bin/pip"))]
    told = docker("inspect", image) + docker("history", "--no-trunc", image)
    for secret in (SECRET, "@mail.example"):  # a person's address: no column that the model does not use
        assert secret.encode() not in exported
        assert secret not in told
    assert json.loads(docker("inspect", "--format", "{{json .Config.User}}", image)) == "10001:10001"


@pytest.fixture
def deployment(workspace: Path, base: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A copy of the workspace to deploy from, and the settings to deploy it with."""
    folder = tmp_path / "workspace"
    shutil.copytree(workspace, folder, symlinks=True, ignore=shutil.ignore_patterns("jobs"))
    port = free_port()
    name = f"neuroloom-test-{uuid.uuid4().hex[:8]}"
    environment = {**os.environ, "NAME": name, "PORT": str(port), "BASE": base, "VERSION": "1"}
    yield {"folder": folder, "environment": environment, "name": name, "url": f"http://127.0.0.1:{port}"}
    for suffix in ("", "-previous", "-trial"):
        docker("rm", "--force", f"{name}{suffix}", code=None)
    docker("rmi", "--force", f"{name}:1", f"{name}:2", code=None)


def deployed(deployment: dict[str, Any], version: str) -> tuple[int, str]:
    """Exit code and words of `scripts/deploy.sh docker`."""
    script, environment = (
        deployment["folder"] / "scripts" / "deploy.sh",
        {**deployment["environment"], "VERSION": version},
    )
    ran = subprocess.run(
        [script, "docker"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return ran.returncode, ran.stdout


def test_the_deploy_script_replaces_a_container_only_by_one_that_answers_as_tested(deployment: dict[str, Any]) -> None:
    code, said = deployed(deployment, "1")
    assert code == 0, said
    first = docker("inspect", "--format", "{{.Id}}", deployment["name"])
    stored = json.loads((deployment["folder"] / "tests" / "validation_rows.json").read_text())
    assert asked(f"{deployment['url']}/predict", stored["rows"][0])["predictions"]
    preprocessing = next(deployment["folder"].glob("attempts/*/models/preprocessing.json"))
    document = json.loads(preprocessing.read_text())
    document["labels"] = document["labels"][::-1]  # a server that starts, and answers otherwise than it was tested
    preprocessing.write_text(json.dumps(document))
    code, said = deployed(deployment, "2")
    assert code == 1
    assert "did not answer as tested; what ran before still runs" in said
    assert docker("inspect", "--format", "{{.Id}}", deployment["name"]) == first
    answer = asked(f"{deployment['url']}/predict", stored["rows"][0])["predictions"][0]
    assert answer["label"] == stored["predictions"][0]["label"]
