"""The protocol's own conformance suite against the product's server over HTTP, for both revisions, no failure expected.

The suite calls fixtures by name (`fixtures.py`), mounted on the same server object beside the tools of the product.
Scenarios that a revision does not require are run too; of those only the tasks extension, which is not there, may fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import House, a_house
from tests.node import Node, node

__all__ = ["node"]
SUITE = ("@modelcontextprotocol/conformance", "dist/index.js")
PROGRAM = Path(__file__).with_name("serving.py")
LIMITS = {"NEUROLOOM_CHAT_CALLS_PER_MINUTE": "100000", "NEUROLOOM_CHAT_CALLS_PER_SECOND": "10000"}
SCENARIOS = {"2025-11-25": 33, "2026-07-28": 50}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house(LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    """The address of the product's server with the fixtures."""
    with (house.workspace / "stderr").open("w") as words:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            cwd=house.workspace,
            env=house.environment,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (house.workspace / "stderr").read_text()
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.needs("npm")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("revision", SCENARIOS)
def test_every_scenario_that_a_revision_requires_passes(node: Node, house: House, url: str, revision: str) -> None:
    command = [*node.command(*SUITE), "server", "--url", url, "--requirements", revision, "--timeout", "60000"]
    done = subprocess.run(command, cwd=house.workspace, env={**os.environ}, capture_output=True, text=True, timeout=600)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{said}\n{(house.workspace / 'stderr').read_text()}"
    summary = re.findall(r"^([✓✗]) ([\w-]+): (\d+) passed, (\d+) failed", said, re.MULTILINE)
    assert len(summary) == SCENARIOS[revision], said
    failing = {name for mark, name, _, failed in summary if mark == "✗" or failed != "0"}
    assert {name for name in failing if not name.startswith("tasks-")} == set(), said
