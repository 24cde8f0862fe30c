"""Deployments by a real supervisor with real servers: stable addresses, swaps, crashes, kill -9, idempotent wishes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memory.errors import DeployError, UsageError
from phases.supervisor import records
from phases.supervisor.client import SupervisorClient, ensure, shut_down

from .conftest import ask, eventually, kill_supervisor, load, servers, supervisors, wish, with_proof


async def test_a_deployed_version_answers_at_its_address(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    assert (view["name"], view["version"], view["status"], view["previous"]) == ("churn", "1.0.0", "serving", None)
    answer = await ask(view["url"])
    assert (answer["model"]["version"], answer["pid"]) == ("1.0.0", view["pid"])
    assert view["example_request"] == {"age": 41, "city": "Köln"}
    assert await client.list() == (view,)
    assert await client.get("churn") == view
    assert "version 1.0.0 starts" in await client.logs("churn", 5)


async def test_the_same_intent_is_one_deployment_however_often_it_is_sent(home: Path) -> None:
    client = await ensure(home)
    request = wish(home, "1.0.0")
    views = await asyncio.gather(*(client.deploy(request) for _ in range(5)))
    assert len({view["pid"] for view in views}) == 1
    assert servers(home) == [views[0]["pid"]]
    await client.deploy(wish(home, "2.0.0"))
    late = await client.deploy(request)
    assert late["version"] == "2.0.0"


async def test_a_swap_under_load_fails_no_request_and_keeps_the_address(home: Path) -> None:
    client = await ensure(home)
    first = await client.deploy(wish(home, "1.0.0", slow=0.01))
    async with load(first["url"]) as told:
        second = await client.deploy(wish(home, "2.0.0", slow=0.01))
        await eventually(lambda: servers(home) == [second["pid"]])
    assert second["url"] == first["url"]
    assert second["previous"] == "1.0.0"
    assert set(told) == {"1.0.0", "2.0.0"}, told


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"exit_at_start": "weights.safetensors is damaged"}, "deploy.not_ready"),
        ({"ready_after": 3600}, "deploy.not_ready"),
        ({"status": 500}, "deploy.load_failed"),
        ({"answer": "no"}, "deploy.wrong_answers"),
    ],
)
async def test_an_unfit_version_is_never_seen_and_the_old_one_serves_on(
    home: Path, fault: dict[str, Any], code: str
) -> None:
    client = await ensure(home)
    first = await client.deploy(wish(home, "1.0.0"))
    unfit = with_proof(home, wish(home, "2.0.0", **fault)).model_copy(update={"ready_seconds": 1.5})
    async with load(first["url"]) as told:
        with pytest.raises(DeployError) as caught:
            await client.deploy(unfit)
    assert caught.value.code == code
    assert set(told) == {"1.0.0"}, told
    assert await client.get("churn") == first
    assert servers(home) == [first["pid"]]


async def test_a_record_that_cannot_be_read_stops_nobody_and_is_in_the_log(home: Path) -> None:
    client = await ensure(home)
    await client.deploy(wish(home, "1.0.0"))
    await client.deploy(wish(home, "9.0.0", name="other"))
    kill_supervisor(home)
    (records.folder(home) / "other.json").write_text("{")
    again = await ensure(home)
    assert [view["name"] for view in await again.list()] == ["churn"]
    assert "other.json" in (home / "supervisor.log").read_text()
    assert (await again.deploy(wish(home, "9.0.0", name="other")))["status"] == "serving"


async def test_the_reason_of_a_failed_start_is_in_the_message(home: Path) -> None:
    client = await ensure(home)
    with pytest.raises(DeployError, match=r"weights\.safetensors is damaged"):
        await client.deploy(wish(home, "1.0.0", exit_at_start="weights.safetensors is damaged"))


async def test_a_first_version_that_fails_leaves_nothing_behind_and_may_be_tried_again(home: Path) -> None:
    client = await ensure(home)
    with pytest.raises(DeployError):
        await client.deploy(wish(home, "1.0.0", status=500))
    assert (await client.list(), servers(home), records.load(home)) == ((), [], [])
    view = await client.deploy(wish(home, "1.0.0"))
    assert view["status"] == "serving"


async def test_rollback_serves_the_version_before_without_a_failed_request(home: Path) -> None:
    client = await ensure(home)
    first = await client.deploy(wish(home, "1.0.0"))
    with pytest.raises(DeployError) as caught:
        await client.rollback("churn")
    assert caught.value.code == "deploy.no_previous"
    await client.deploy(wish(home, "2.0.0"))
    async with load(first["url"]) as told:
        back = await client.rollback("churn")
        await eventually(lambda: servers(home) == [back["pid"]])
    assert (back["version"], back["previous"], back["run_id"]) == ("1.0.0", "2.0.0", "r-1.0.0")
    assert set(told) == {"1.0.0", "2.0.0"}, told
    assert (await client.rollback("churn"))["version"] == "2.0.0"


async def test_a_rollback_to_files_that_are_gone_changes_nothing(home: Path) -> None:
    client = await ensure(home)
    gone = home / "gone.py"
    gone.write_text(Path(wish(home, "1.0.0").serve).read_text())
    await client.deploy(wish(home, "1.0.0").model_copy(update={"serve": str(gone)}))
    second = await client.deploy(wish(home, "2.0.0"))
    gone.unlink()
    with pytest.raises(DeployError) as caught:
        await client.rollback("churn")
    assert caught.value.code == "deploy.files_gone"
    assert (await ask(second["url"]))["model"]["version"] == "2.0.0"


async def test_a_version_that_is_not_to_be_kept_cannot_be_rolled_back_to(home: Path) -> None:
    client = await ensure(home)
    await client.deploy(wish(home, "1.0.0"))
    view = await client.deploy(wish(home, "2.0.0").model_copy(update={"keep_previous": False}))
    assert view["previous"] is None


async def test_a_killed_server_is_restarted_and_waiting_requests_are_answered(home: Path) -> None:
    client = await ensure(home)
    first = await client.deploy(wish(home, "1.0.0"))
    for restarts in (1, 2):
        os.kill((await client.get("churn"))["pid"], signal.SIGKILL)

        async def restarted(wanted: int = restarts) -> bool:
            view = await client.get("churn")
            return bool(view["status"] == "serving" and view["restarts"] == wanted)

        await eventually(restarted)
        assert (await ask(first["url"]))["model"]["version"] == "1.0.0"
    view = await client.get("churn")
    assert "SIGKILL" in view["error"]
    assert servers(home) == [view["pid"]]


async def test_requests_of_new_connections_wait_through_a_restart(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    os.kill(view["pid"], signal.SIGKILL)
    answers = await asyncio.gather(*(ask(view["url"]) for _ in range(10)))
    assert {answer["model"]["version"] for answer in answers} == {"1.0.0"}


async def test_a_server_that_keeps_crashing_is_shown_as_restarting_and_can_be_replaced(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    wish(home, "1.0.0", exit_at_start="the model vanished")
    os.kill(view["pid"], signal.SIGKILL)

    async def crashing() -> bool:
        found = await client.get("churn")
        return bool(found["status"] == "restarting" and found["restarts"] > 2 and found["pid"] is None)

    await eventually(crashing)
    assert "the model vanished" in (await client.get("churn"))["error"]
    fixed = await client.deploy(wish(home, "1.0.1"))
    assert (fixed["status"], fixed["restarts"], fixed["url"]) == ("serving", 0, view["url"])


async def test_a_killed_supervisor_loses_nothing_and_its_server_is_adopted(home: Path) -> None:
    client = await ensure(home)
    first = await client.deploy(wish(home, "1.0.0"))
    await client.deploy(wish(home, "9.0.0", name="other"))
    async with load(first["url"]) as told:
        kill_supervisor(home)
        again = await ensure(home)
        adopted = await again.get("churn")
        assert (adopted["pid"], adopted["url"]) == (first["pid"], first["url"])
        second = await again.deploy(wish(home, "2.0.0"))
    assert set(told) == {"1.0.0", "2.0.0"}, told
    assert second["url"] == first["url"]
    assert [view["name"] for view in await again.list()] == ["churn", "other"]


async def test_after_supervisor_and_server_were_killed_the_same_address_answers_again(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    kill_supervisor(home)
    os.kill(view["pid"], signal.SIGKILL)
    await eventually(lambda: servers(home) == [])
    found = await client.get("churn")  # any question starts the next supervisor
    assert found["url"] == view["url"]
    answer = await ask(view["url"])
    assert answer["model"]["version"] == "1.0.0"
    assert servers(home) == [answer["pid"]]


async def test_an_adopted_server_that_crashes_is_restarted(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    kill_supervisor(home)
    await ensure(home)
    os.kill(view["pid"], signal.SIGKILL)

    async def back() -> bool:
        found = await client.get("churn")
        return bool(found["status"] == "serving" and found["pid"] not in {view["pid"], None})

    await eventually(back)
    assert (await ask(view["url"]))["model"]["version"] == "1.0.0"


@pytest.mark.parametrize("earlier", [False, True])
async def test_a_supervisor_killed_inside_a_deploy_leaves_exactly_one_deployment(home: Path, earlier: bool) -> None:
    client = await ensure(home)
    if earlier:
        await client.deploy(wish(home, "1.0.0"))
    before = len(servers(home))
    request = wish(home, "2.0.0", ready_after=1.0)
    deploying = asyncio.create_task(client.deploy(request))
    await eventually(lambda: len(servers(home)) > before)
    kill_supervisor(home)
    view = await deploying  # the client asks once more, by the same intent
    await eventually(lambda: servers(home) == [view["pid"]])
    assert (view["version"], view["previous"]) == ("2.0.0", "1.0.0" if earlier else None)
    assert (await client.deploy(request))["pid"] == view["pid"]


async def test_a_deploy_goes_on_when_its_client_is_gone(home: Path) -> None:
    client = await ensure(home)
    request = wish(home, "1.0.0", ready_after=0.3)
    deploying = asyncio.create_task(client.deploy(request))
    await eventually(lambda: bool(servers(home)))
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying
    assert (await client.deploy(request))["pid"] == servers(home)[0]


async def test_racing_clients_start_one_supervisor(home: Path) -> None:
    clients = await asyncio.gather(*(ensure(home) for _ in range(5)))
    assert len(clients) == 5
    await eventually(lambda: len(supervisors(home)) == 1)


async def test_undeploying_ends_the_server_and_frees_the_address(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    gone = await client.undeploy("churn")
    assert (gone["status"], gone["url"], servers(home), await client.list()) == ("stopped", None, [], ())
    with socket.create_server(("127.0.0.1", int(view["url"].rpartition(":")[2]))):
        pass
    for call in (client.undeploy("churn"), client.get("churn"), client.logs("churn"), client.rollback("churn")):
        with pytest.raises(DeployError, match="no deployment 'churn'") as caught:
            await call
        assert caught.value.code == "deploy.not_found"
    again = await client.deploy(wish(home, "1.0.0"))
    assert (again["url"], again["status"]) == (view["url"], "serving")


async def test_shutting_down_stops_everything_and_it_can_be_started_again(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    assert await shut_down(home) == ["churn"]
    assert servers(home) == []
    await eventually(lambda: supervisors(home) == [])
    assert await shut_down(home) == []
    stopped = await (await ensure(home)).get("churn")
    assert (stopped["status"], stopped["url"], stopped["pid"]) == ("stopped", None, None)
    started = await client.start("churn")
    assert (started["status"], started["url"]) == ("serving", view["url"])


async def test_a_shut_down_finds_the_servers_of_a_killed_supervisor(home: Path) -> None:
    client = await ensure(home)
    await client.deploy(wish(home, "1.0.0"))
    kill_supervisor(home)
    assert await shut_down(home) == ["churn"]
    assert servers(home) == []


async def test_a_terminated_supervisor_leaves_its_servers_running(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    os.kill(supervisors(home)[0], signal.SIGTERM)
    await eventually(lambda: supervisors(home) == [])
    assert (await ask(view["url"]))["pid"] == view["pid"]
    assert (await client.get("churn"))["pid"] == view["pid"]


async def test_a_stopped_intent_that_is_repeated_serves_again(home: Path) -> None:
    client = await ensure(home)
    request = wish(home, "1.0.0")
    await client.deploy(request)
    await client.shutdown()
    assert (await client.deploy(request))["status"] == "serving"


async def test_a_port_that_another_program_took_is_named(home: Path) -> None:
    client = await ensure(home)
    view = await client.deploy(wish(home, "1.0.0"))
    await client.shutdown()
    await eventually(lambda: supervisors(home) == [])
    port = int(view["url"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(DeployError, match=f"port {port}") as caught:
        await client.start("churn")
    assert caught.value.code == "deploy.port_taken"
    assert (await client.start("churn"))["url"] == view["url"]


async def test_each_name_has_an_address_of_its_own(home: Path) -> None:
    client = await ensure(home)
    views = [await client.deploy(wish(home, version, name=f"name-{version}")) for version in ("1.0.0", "2.0.0")]
    assert len({view["url"] for view in views}) == 2
    assert [(await ask(view["url"]))["model"]["version"] for view in views] == ["1.0.0", "2.0.0"]


async def test_a_state_folder_deeper_than_a_socket_path_works(home: Path) -> None:
    deep = home / ("deep" * 20) / ("deeper" * 20)
    client = await ensure(deep)
    assert (await client.deploy(wish(deep, "1.0.0")))["status"] == "serving"
    assert await shut_down(deep) == ["churn"]
    await eventually(lambda: supervisors(deep) == [])


async def test_what_is_no_request_is_refused(home: Path) -> None:
    client = await ensure(home)
    with pytest.raises(UsageError):
        await client.ask("explode")
    with pytest.raises(UsageError):
        await client.ask("deploy", request={"name": "../etc"})
    assert await SupervisorClient(home).list() == ()


async def test_a_supervisor_with_nothing_to_do_leaves(home: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "phases.supervisor", "--home", str(home), "--idle", "0.2"
    )
    assert await process.wait() == 0


def test_the_supervisor_loads_nothing_heavy() -> None:
    code = (
        "import sys, phases.supervisor.__main__, phases.supervisor.client\n"
        "print(sorted({'redis', 'langgraph', 'torch', 'numpy', 'polars', 'fastapi'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
