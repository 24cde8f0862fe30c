"""The doctor: it finds what is wrong here and names the command that fixes it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app import doctor
from app.doctor import Finding, examine, torch_build
from app.settings import load
from gpu_jobs.backends import walls
from tests.app.conftest import Call
from tests.ports import free_port


def found(**environ: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(load(environ=environ))}


def test_it_says_what_is_here_and_every_failure_has_a_fix(tmp_path: Path) -> None:
    findings = found(NEUROLOOM_HOME=str(tmp_path / "state"), PATH="/usr/bin:/bin")
    assert findings["python"].ok
    assert findings["libraries"].ok
    assert all(finding.fix for finding in findings.values() if not finding.ok)
    assert not (tmp_path / "state").exists()


def test_the_torch_build_is_read_without_importing_torch() -> None:
    build = torch_build()
    assert build is not None
    assert build["version"][0].isdigit()


def test_a_state_folder_too_deep_for_a_socket_is_found(tmp_path: Path) -> None:
    finding = found(NEUROLOOM_HOME=str(tmp_path / ("d" * 120)))["socket path"]
    assert not finding.ok
    assert "NEUROLOOM_HOME" in str(finding.fix)


def test_a_state_folder_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not found(NEUROLOOM_HOME=str(tmp_path / "file"))["state folder"].ok


def test_a_configured_redis_that_does_not_answer_is_found_and_its_password_is_not_shown() -> None:
    finding = found(NEUROLOOM_REDIS_URL=f"redis://me:hunter2@127.0.0.1:{free_port()}/0")["redis"]
    assert not finding.ok
    assert "hunter2" not in finding.found
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert found(NEUROLOOM_REDIS_URL=f"redis://127.0.0.1:{server.getsockname()[1]}")["redis"].ok


def test_a_gpu_with_a_cpu_build_of_torch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "gpu_names", lambda: ["H200"])
    monkeypatch.setattr(doctor, "torch_build", lambda: {"version": "2.13.0", "cuda": None})
    finding = found()["torch build"]
    assert (finding.ok, finding.needed) == (False, False)
    assert "CUDA" in str(finding.fix)


def test_the_exit_code_is_3_when_something_needed_does_not_work(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "CHECKS", (lambda _settings: iter([Finding("redis", False, True, "absent", "install it")]),)
    )
    told = call("doctor")
    assert told.code == 3
    assert "→ install it" in told.out
    assert call("doctor", "--json").document()["ok"] is False
    monkeypatch.setattr(doctor, "CHECKS", (lambda _settings: iter([Finding("gpu", False, False, "none", "buy one")]),))
    assert call("doctor").code == 0


def test_it_says_what_is_open_to_jobs_without_walls_and_that_walls_asked_for_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = found(NEUROLOOM_RUNNER_ISOLATION="none")["isolation of jobs"]
    assert plain.ok and "network" in plain.found
    monkeypatch.setenv("PATH", "/nowhere")
    walls.why_not.cache_clear()
    try:
        for asked, needed in (("auto", False), ("bubblewrap", True)):
            missing = found(NEUROLOOM_RUNNER_ISOLATION=asked)["isolation of jobs"]
            assert (missing.ok, missing.needed, missing.fix) == (False, needed, "apt-get install bubblewrap")
            assert "not installed" in missing.found and "network" in missing.found
    finally:
        monkeypatch.undo()
        walls.why_not.cache_clear()


@pytest.mark.needs("bwrap")
def test_it_says_that_walls_stand_where_they_do() -> None:
    standing = found(NEUROLOOM_RUNNER_ISOLATION="auto")["isolation of jobs"]
    assert standing.ok and "bubblewrap" in standing.found and "closed" in standing.found
