"""The generated scripts run: validation against files and an endpoint, backups, and the way back of a deployment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.data.rows import load
from gpu_jobs.serving.process import RunningServer, running
from phases.workspace import link, write_json
from templates import render
from templates.backup_sh.context import BackupShContext
from templates.deploy_sh.context import DeployShContext
from templates.deployment_md.context import DeploymentMdContext
from templates.serve.context import ServeContext, ServeDefaults
from templates.validation_py.context import ValidationPyContext
from tests.ports import free_port
from tests.templates.model_kit import EXAMPLE, LABELS, write_attempt


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with stored test rows and their predictions."""
    import onnxruntime

    folder = write_attempt(tmp_path / "work space")
    rows = [{**EXAMPLE, "bill_length_mm": 30.0 + i / 10} for i in range(230)]
    encoder = load(json.loads((folder / "models" / "preprocessing.json").read_text()))
    session = onnxruntime.InferenceSession(str(folder / "models" / "model.onnx"))
    predictions = encoder.decode(session.run(None, encoder.encode(rows))[0])
    (folder / "tests").mkdir()
    stored = {"rows": rows, "predictions": predictions, "truth": [LABELS[0]] * len(rows)}
    (folder / "tests" / "validation_rows.json").write_text(json.dumps(stored))
    sha = hashlib.sha256((folder / "models" / "model.onnx").read_bytes()).hexdigest()
    metadata = {"name": "penguins", "version": "1.0.0", "files": {"model.onnx": sha}}
    (folder / "models" / "model-metadata.json").write_text(json.dumps(metadata))
    text = render("validation_py", ValidationPyContext(name="penguins", run="r-1"))
    (folder / "tests" / "validation.py").write_text(text)
    return folder


def _validate(workspace: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-W", "error", str(workspace / "tests" / "validation.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def server(workspace: Path) -> Iterator[RunningServer]:
    with running(workspace / "scripts" / "serve.py", workspace / "models", workspace / "log") as started:
        yield started


def test_validation_passes_for_the_model_and_the_endpoint_that_were_tested(
    workspace: Path, server: RunningServer
) -> None:
    done = _validate(workspace, "--url", f"http://127.0.0.1:{server.port}/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("passed  ") == 3
    assert "230 test rows" in done.stdout and "accuracy " in done.stdout


def test_validation_does_not_pass_when_the_endpoint_answers_otherwise(workspace: Path, server: RunningServer) -> None:
    path = workspace / "tests" / "validation_rows.json"
    stored = json.loads(path.read_text())
    stored["predictions"][7]["probabilities"][LABELS[1]] += 0.01
    path.write_text(json.dumps(stored))
    done = _validate(workspace, "--url", f"http://127.0.0.1:{server.port}")
    assert done.returncode == 1
    assert "NOT PASSED" in done.stdout and "1.00e-02" in done.stdout


def test_validation_does_not_pass_when_a_model_file_was_changed(workspace: Path) -> None:
    path = workspace / "models" / "model-metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps(metadata | {"files": {"model.onnx": "0" * 64}}))
    done = _validate(workspace)
    assert done.returncode == 1
    assert "changed since the test: model.onnx" in done.stdout


def test_validation_says_so_when_it_cannot_check(workspace: Path) -> None:
    done = _validate(workspace, "--url", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert "cannot be checked" in done.stderr and "Traceback" not in done.stderr


def _publish(workspace: Path) -> None:
    """Move what an attempt holds into one, and link to it, as publishing leaves a workspace."""
    for name in ("models/model.onnx", "models/preprocessing.json", "scripts/serve.py", "scripts/rows"):
        place = workspace / "attempts" / "1" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).rename(place)
        link(workspace, name, f"attempts/1/{name}")
    for name in ("configs/architecture.json", "configs/dataset.json", "configs/training.json"):
        write_json(workspace / "attempts" / "1" / name, {})
        link(workspace, name, f"attempts/1/{name}")


def _backup(workspace: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = workspace / "scripts" / "backup-checkpoints.sh"
    script.write_text(render("backup_sh", BackupShContext(run="r-1")))
    command = ["bash", str(script), str(target)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)


def test_a_backup_is_whole_verified_and_the_oldest_goes(workspace: Path, tmp_path: Path) -> None:
    checkpoints = workspace / "attempts" / "1" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "epoch-5.safetensors").write_bytes(b"weights")
    (checkpoints / "epoch-6.tmp").write_bytes(b"half")
    target = tmp_path / "back up"
    target.mkdir()
    for day in (1, 2):
        (target / f"r-1-2020010{day}T000000Z.tar.gz").write_bytes(b"old")
    done = _backup(workspace, target, KEEP="2")
    assert done.returncode == 0, done.stderr
    archive = Path(done.stdout.strip())
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert "attempts/1/checkpoints/epoch-5.safetensors" in names and "models/model.onnx" in names
    assert not [name for name in names if name.endswith(".tmp")]
    said, name = Path(f"{archive}.sha256").read_text().split()
    assert (said, name) == (hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name)
    assert sorted(path.name for path in target.glob("*.tar.gz")) == ["r-1-20200102T000000Z.tar.gz", archive.name]


def test_a_backup_restores_into_an_empty_folder_without_a_link_that_leads_nowhere(
    workspace: Path, tmp_path: Path
) -> None:
    _publish(workspace)
    archive = _backup(workspace, tmp_path / "target").stdout.strip()
    restored = tmp_path / "restored"
    restored.mkdir()
    subprocess.run(["tar", "-xzf", archive], cwd=restored, check=True, timeout=60)
    links = [path for path in restored.rglob("*") if path.is_symlink()]
    assert {"architecture.json", "model.onnx"} <= {path.name for path in links}
    assert [path for path in links if not path.exists()] == []


def test_a_backup_of_nothing_fails_and_leaves_nothing(workspace: Path, tmp_path: Path) -> None:
    shutil.rmtree(workspace / "models")
    done = _backup(workspace, tmp_path / "target")
    assert done.returncode == 1 and "nothing to back up" in done.stderr
    assert list((tmp_path / "target").iterdir()) == []


FAKE_DOCKER = """#!/usr/bin/env bash
# A docker that keeps containers as files and runs the workspace's server for each: $STATE/<name> holds its port.
set -eu
echo "docker $*" >>"$STATE.log"
case "$1" in
  build) [ "${FAIL:-}" != build ] ;;
  run) while [ $# -gt 1 ]; do case "$1" in --name) name=$2;; --publish) publish=$2;; esac; shift; done
       [ "${FAIL:-}" != "run-$name" ] || exit 125
       echo "${PORT_OF_SERVER}" >"$STATE/$name"; echo "$publish" >>"$STATE.log" ;;
  port) echo "127.0.0.1:$(cat "$STATE/$2")" ;;
  rename) mv "$STATE/$2" "$STATE/$3" ;;
  rm) shift; for n in "$@"; do rm -f "$STATE/$n"; done ;;
  stop | start | logs) [ -e "$STATE/${@: -1}" ] ;;
esac
"""


@pytest.fixture
def docker(workspace: Path, tmp_path: Path, server: RunningServer) -> dict[str, str]:
    """An environment with a docker of files, and the virtual environment already there."""
    tools = tmp_path / "tools"
    (tmp_path / "containers").mkdir()
    tools.mkdir()
    (tools / "docker").write_text(FAKE_DOCKER)
    (tools / "docker").chmod(0o755)
    python = workspace / ".serve" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for place in (workspace, workspace / ".serve"):
        (place / "requirements.txt").write_text("")
    script = render("deploy_sh", DeployShContext(name="Penguins", version="1.0.0"))
    (workspace / "scripts" / "deploy.sh").write_text(script)
    port = str(server.port)
    state = str(tmp_path / "containers")
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "STATE": state, "PORT_OF_SERVER": port, "PORT": port}


def _deploy(workspace: Path, environment: dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(workspace / "scripts" / "deploy.sh"), "docker"]
    env = environment | more
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env)


def _containers(environment: dict[str, str]) -> set[str]:
    return {path.name for path in Path(environment["STATE"]).iterdir()}


def test_a_deployment_is_tried_aside_and_then_replaces_the_one_before(workspace: Path, docker: dict[str, str]) -> None:
    for expected in ({"penguins"}, {"penguins", "penguins-previous"}):
        done = _deploy(workspace, docker)
        assert done.returncode == 0, done.stderr
        assert _containers(docker) == expected
    log = Path(docker["STATE"] + ".log").read_text()
    assert "--read-only" in log and "--cap-drop ALL" in log and f"127.0.0.1:{docker['PORT']}:8000" in log


@pytest.mark.parametrize("failure", ["build", "run-penguins-trial", "run-penguins"])
def test_what_ran_before_runs_on_when_a_deployment_fails(workspace: Path, docker: dict[str, str], failure: str) -> None:
    (Path(docker["STATE"]) / "penguins").write_text(docker["PORT"])
    done = _deploy(workspace, docker, FAIL=failure)
    assert done.returncode != 0
    assert "penguins" in _containers(docker)
    assert "penguins-trial" not in _containers(docker)


def test_an_image_that_answers_otherwise_is_not_deployed(workspace: Path, docker: dict[str, str]) -> None:
    path = workspace / "tests" / "validation_rows.json"
    stored: dict[str, Any] = json.loads(path.read_text())
    stored["predictions"][0]["probabilities"][LABELS[0]] = 0.5
    path.write_text(json.dumps(stored))
    done = _deploy(workspace, docker)
    assert done.returncode == 1 and "did not answer as tested" in done.stderr
    assert _containers(docker) == set()


def test_a_wrong_word_gets_the_usage(workspace: Path, docker: dict[str, str]) -> None:
    command = ["bash", str(workspace / "scripts" / "deploy.sh"), "somewhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=docker)
    assert done.returncode == 1 and "usage: scripts/deploy.sh docker|local" in done.stderr


PYTHON3 = f"""#!/bin/sh
# A python3 whose virtual environments have what this one has, so that nothing is downloaded.
mkdir -p "$3/bin"
printf '#!/bin/sh\\n[ "$1 $2" = "-m pip" ] || exec {sys.executable} "$@"\\n' >"$3/bin/python"
printf '#!/bin/sh\\n' >"$3/bin/pip"
chmod +x "$3/bin/python" "$3/bin/pip"
"""


@pytest.fixture
def guide(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The guide of a published workspace that uses a free port."""
    _publish(workspace)
    (workspace / "requirements.txt").write_text("")
    port = free_port()
    context = DeployShContext(name="penguins", version="1.0.0", port=port)
    (workspace / "scripts" / "deploy.sh").write_text(render("deploy_sh", context))
    (workspace / "scripts" / "deploy.sh").chmod(0o755)
    tools = tmp_path / "own"
    tools.mkdir()
    (tools / "python3").write_text(PYTHON3)
    (tools / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    stored = json.loads((workspace / "tests" / "validation_rows.json").read_text())
    guide = DeploymentMdContext(
        name="penguins", version="1.0.0", run="r-1", example=stored["rows"][0], answer=stored["predictions"][0],
        files=(), defaults=ServeDefaults(port=port),
    )  # fmt: skip
    return render("deployment_md", guide)


def _start_commands(guide: str) -> dict[str, str]:
    rows = re.findall(r"^\| ([a-z ]+) \| `([^`]+)` \|", guide.split("## Ask it")[0], re.MULTILINE)
    return {where: command for where, command in rows if where != "with Neuroloom"}


def _blocks(guide: str, title: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)\n```", guide.split(f"## {title}\n")[1].split("\n## ")[0], re.DOTALL)


@contextmanager
def _started(command: str, workspace: Path, guide: str) -> Iterator[str]:
    """A pasted command that goes on serving; the address that the guide gives for it, once it answers."""
    address = re.findall(r"http://127\.0\.0\.1:\d+", guide)[0]
    with (workspace / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=workspace, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5):
                break
        assert process.poll() is None, (workspace / "log").read_text()
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.parametrize("where", ["on this machine", "by hand"])
def test_a_server_started_as_the_guide_says_is_the_published_version_and_the_guides_requests_work(
    workspace: Path, guide: str, where: str
) -> None:
    metadata = {"name": "others", "version": "2.1.0", "files": {}}
    (workspace / "models" / "model-metadata.json").write_text(json.dumps(metadata))
    with _started(_start_commands(guide)[where], workspace, guide) as address:
        with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
            assert json.load(answer)["model"] == {"name": "others", "version": "2.1.0"}
        for title, shown in (("Ask it", '"predictions"'), ("Check it", "answers as it was tested")):
            (block,) = _blocks(guide, title)
            done = subprocess.run(["bash", "-ec", block], cwd=workspace, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0 and shown in done.stdout, done.stdout + done.stderr


def test_the_guides_way_back_works_with_containers_after_a_second_deployment(
    workspace: Path, docker: dict[str, str], guide: str
) -> None:
    (block,) = _blocks(guide, "Go back")
    for command in [_start_commands(guide)["in a container"]] * 2 + [block]:
        done = subprocess.run(
            ["bash", "-ec", command], cwd=workspace, capture_output=True, text=True, env=docker, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert _containers(docker) == {"penguins"}


def test_every_neuroloom_command_in_the_guide_exists(guide: str) -> None:
    words = set(re.findall(r"`neuroloom ([a-z-]+)", guide))
    assert {"deploy", "rollback", "retrain"} <= words
    for word in words:
        command = [str(Path(sys.executable).with_name("neuroloom")), word, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 and word in done.stdout


def test_the_settings_in_the_guide_are_those_of_the_server(workspace: Path, guide: str) -> None:
    told = dict[str, str]()
    for flags, values in re.findall(r"^\| (`--[^|]+) \| ([^|]+) \|", guide, re.MULTILINE):
        told |= zip(re.findall("`--([a-z-]+)`", flags), values.split(", "), strict=True)
    script = render(
        "serve", ServeContext(name="x", version="1", run="r", defaults=ServeDefaults(port=int(told["port"])))
    )
    known = dict(re.findall(r"^    ([a-z_]+): (?:int|float|str) = \"?([\d._]+)", script, re.MULTILINE))
    assert len(told) == 10
    for flag, value in told.items():
        found = known[flag.replace("-", "_")]
        assert value == found if flag == "host" else float(value) == float(found), flag
