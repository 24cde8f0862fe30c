"""Runs under kill -9 of runner, job and Redis; `tests/acceptance/kills.py` holds the whole set of twenty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).resolve().parents[1] / "acceptance" / "kills.py"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_survives_kill_9_of_whatever_it_stands_on(seed: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", str(KILLS), "--kills", "3", "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 kills, 0 not right" in ran.stdout
