"""The server that a run generates, under the supervisor: swapped under load, and drained as it promises."""

from __future__ import annotations

import sys
from pathlib import Path

from phases.supervisor.client import ensure
from phases.supervisor.request import DeployRequest
from tests.templates.model_kit import EXAMPLE, write_attempt

from .conftest import eventually, load, servers


async def test_the_generated_server_is_swapped_under_load_without_a_failed_request(home: Path) -> None:
    client = await ensure(home)
    requests = []
    for version in ("1.0.0", "2.0.0"):
        attempt = write_attempt(home / version)
        requests.append(
            DeployRequest(
                name="penguins",
                version=version,
                run_id=f"r-{version}",
                intent=f"r-{version}-deploy",
                serve=str(attempt / "scripts" / "serve.py"),
                models=str(attempt / "models"),
                example_request=EXAMPLE,
                python=sys.executable,
            )
        )
    first = await client.deploy(requests[0])
    async with load(first["url"], row=EXAMPLE) as told:
        second = await client.deploy(requests[1])
        await eventually(lambda: servers(home) == [second["pid"]])
    assert set(told) == {"1.0.0"}, told  # what the kit generates calls itself so, both times
    assert second["url"] == first["url"]
    assert second["previous"] == "1.0.0"
