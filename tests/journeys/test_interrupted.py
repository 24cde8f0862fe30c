"""Ctrl-C in every phase, twice, in `watch`, and a terminal that goes away: what stops, what goes on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.journeys.conftest import NEUROLOOM, PENGUINS, House, heard, of_test, wait_for

PHASES = ("setup", "configure", "train", "validate", "deploy")
SPECIES = (PENGUINS, "--target", "species", "--name", "birds")


def busy(run: Path) -> list[str]:
    """Living processes that work for a run: its jobs and candidate servers; its idle job host is none."""
    jobs = {int(re.findall(r'"pid": (\d+)', path.read_text())[0]) for path in run.glob("jobs/*/process.json")
            if not (path.parent / "exit").exists()}  # fmt: skip
    attempts = str(run / "attempts")
    found = []
    for one in psutil.process_iter(["cmdline", "status"]):
        words = one.info["cmdline"] or []
        if one.info["status"] != psutil.STATUS_ZOMBIE and (one.pid in jobs or any(attempts in w for w in words)):
            found.append(" ".join(words))
    return found


@pytest.fixture(scope="module")
def undisturbed(house: House) -> dict[str, Any]:
    """A run that nobody interrupts; the others are given its recorded decisions."""
    return house.document("run", *SPECIES, "--no-deploy")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_in_every_phase_cancels_and_resume_ends_as_if_nothing_had_happened(
    house: House, undisturbed: dict[str, Any]
) -> None:
    words: tuple[object, ...] = ("run", *SPECIES, "--from", undisturbed["run_id"])
    run = ""
    for number, phase in enumerate(PHASES):
        with house.start(*words) as process:
            assert process.stdout is not None
            run = run or heard(process.stdout, r"^r-\d").split()[0]
            heard(process.stdout, rf"^{phase}: started")
            interrupted_at = datetime.now(UTC).isoformat()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=300)[0]
        assert process.returncode == 130, f"in {phase}: {said}"
        found = house.document("show", run)
        standing = {one["name"]: one["status"] for one in found["phases"]}
        assert (found["status"], found["error"]["code"]) == ("cancelled", "run.cancelled")
        assert {one: standing[one] for one in PHASES[number + 1 :]} == dict.fromkeys(PHASES[number + 1 :], "skipped")
        if standing[phase] == "passed":  # its last step was the next safe point
            ended = house.document("memory", "get", f"phase{number + 1}-complete", "--run", run)
            assert ended["finished_at"] > interrupted_at
        assert busy(house.workspace / "neural" / run) == []
        words = ("resume", run)
    final = house.document("resume", run)
    assert final["status"] == "deployed"
    assert [one["status"] for one in final["phases"]] == ["passed"] * 5
    assert of_test(final) == of_test(undisturbed)
    assert final["deployment"]["url"]


@pytest.mark.slow
def test_ctrl_c_in_watch_leaves_a_closed_terminal_cancels_nothing_and_twice_ends_at_once(house: House) -> None:
    run = house.document("run", *SPECIES, "--no-deploy", "--epochs", "4000", "--detach")["run_id"]
    with house.start("watch", run) as watching:
        assert watching.stdout is not None
        heard(watching.stdout, r"^train: started")
        watching.send_signal(signal.SIGINT)
        said = watching.communicate(timeout=300)[0]
    assert watching.returncode == 0 and "goes on" in said
    assert house.document("show", run)["status"] == "running"

    hung_up = on_a_terminal(house, "resume", run)
    assert hung_up == -signal.SIGHUP
    assert house.document("show", run)["status"] == "running"

    with house.start("resume", run) as process:
        assert process.stdout is not None
        heard(process.stdout, r"epoch \d+")
        process.send_signal(signal.SIGINT)
        heard(process.stdout, "cancelling")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130
    wait_for(house, run, {"cancelled"}, seconds=90)
    assert busy(house.workspace / "neural" / run) == []


def on_a_terminal(house: House, *words: object) -> int:
    """Run a command on a terminal of its own, close that terminal once it shows something, return its exit code."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [NEUROLOOM, *map(str, words)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=house.workspace,
        env=house.environment, start_new_session=True, preexec_fn=lambda: own_terminal(theirs),
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"train" not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    return command.wait(timeout=90)


def own_terminal(descriptor: int) -> None:
    """Make it the controlling terminal, whose end is told by SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
