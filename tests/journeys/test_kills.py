"""A run per phase under kill -9 of runner, job or Redis; `tests/acceptance/kills.py` holds the whole set of twenty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).resolve().parents[1] / "acceptance" / "kills.py"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_in_every_phase_a_run_survives_kill_9_of_what_it_stands_on() -> None:
    words = [sys.executable, "-P", str(KILLS), "--kills", "5", "--seed", "2"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=580)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 kills, 0 not right" in ran.stdout
    killed = [line.split()[1:3] for line in ran.stdout.splitlines() if " killed in " in line]
    assert [phase for phase, _ in killed] == ["setup", "configure", "train", "validate", "deploy"]
    assert {target for _, target in killed} == {"runner", "job", "redis"}
