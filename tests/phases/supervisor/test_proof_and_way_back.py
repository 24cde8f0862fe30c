"""No version takes traffic that answers otherwise than when it was tested, and only that very version is taken out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from memory.errors import DeployError
from phases.supervisor.client import ensure

from .conftest import ask, eventually, supervisors, wish, with_proof


async def test_it_is_told_on_how_many_stored_rows_a_version_was_proven(home: Path) -> None:
    client = await ensure(home)
    assert (await client.deploy(with_proof(home, wish(home, "1.0.0"))))["proven_rows"] == 20
    assert (await client.deploy(with_proof(home, wish(home, "2.0.0"), 500)))["proven_rows"] == 64
    assert (await client.deploy(wish(home, "3.0.0")))["proven_rows"] == 0


async def test_a_wrong_version_never_answers_at_the_known_address_of_a_stopped_name(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    await client.shutdown()
    await eventually(lambda: supervisors(home) == [])
    asked, over = [], asyncio.Event()

    async def keep_asking() -> None:
        while not over.is_set():
            try:
                asked.append((await ask(view["url"]))["model"]["version"])
            except httpx.HTTPError:
                await asyncio.sleep(0.01)

    asking = asyncio.create_task(keep_asking())
    with pytest.raises(DeployError, match="answers 20 of 20 rows otherwise") as caught:
        await (await ensure(home)).deploy(with_proof(home, wish(home, "2.0.0", answer="no")))
    over.set()
    await asking
    assert (caught.value.code, asked) == ("deploy.wrong_answers", [])
    assert (await client.start("churn"))["version"] == "1.0.0"


async def test_a_version_is_taken_out_once_however_often_that_is_asked(home: Path) -> None:
    client = await ensure(home)
    await client.deploy(wish(home, "1.0.0"))
    bad = wish(home, "2.0.0")
    await client.deploy(bad)
    for _ in range(3):
        view = await client.rollback("churn", of=bad.intent)
        assert (view["version"], view["previous"]) == ("1.0.0", None)
    with pytest.raises(DeployError) as caught:
        await client.rollback("churn")
    assert caught.value.code == "deploy.no_previous"


async def test_taking_a_version_out_leaves_the_one_that_replaced_it_and_is_no_way_back(home: Path) -> None:
    client = await ensure(home)
    bad = wish(home, "1.0.0")
    await client.deploy(bad)
    good = await client.deploy(wish(home, "2.0.0"))
    view = await client.rollback("churn", of=bad.intent)
    assert (view["pid"], view["previous"]) == (good["pid"], None)
    assert (await client.undeploy("churn", of=bad.intent))["pid"] == good["pid"]
    assert (await ask(good["url"]))["model"]["version"] == "2.0.0"
