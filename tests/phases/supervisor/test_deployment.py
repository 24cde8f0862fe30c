"""One deployment in this process: what happens when its server cannot be kept alive."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from phases.supervisor import deployment, records
from phases.supervisor.deployment import Deployment, new_record
from phases.supervisor.records import Record

from .conftest import ask, eventually, wish


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Path, Deployment]]:
    monkeypatch.setattr(deployment, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(deployment, "MOST_CRASHES", 2)
    with tempfile.TemporaryDirectory(prefix="nl-") as folder:
        one = Deployment(Path(folder), new_record(Path(folder), "churn", []))
        await one.deploy(wish(Path(folder), "1.0.0"))
        yield Path(folder), one
        await one.stop()


async def test_a_server_that_crashes_too_often_is_given_up_and_its_address_refuses_at_once(
    served: tuple[Path, Deployment],
) -> None:
    home, one = served
    wish(home, "1.0.0", exit_at_start="the model vanished")
    os.kill(one.record.view()["pid"], signal.SIGKILL)
    await eventually(lambda: one.record.status == "failed")
    assert "given up after 3 failures in a row" in (one.record.error or "")
    assert "the model vanished" in (one.record.error or "")
    assert (one.record.view()["url"], one.record.restarts) == (None, 2)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", one.record.port)
    assert records.load(home) == [one.record]
    wish(home, "1.0.0")
    view = await one.start()
    assert (view["status"], (await ask(view["url"]))["model"]["version"]) == ("serving", "1.0.0")


async def test_a_supervisor_without_a_copy_of_the_socket_still_swaps(served: tuple[Path, Deployment]) -> None:
    """As after an adoption on a kernel that gives no copy: the old server leaves before the new one listens."""
    home, one = served
    assert one._listener is not None
    one._listener.close()
    one._listener = None
    view = await one.deploy(wish(home, "2.0.0"))
    assert (await ask(view["url"]))["model"]["version"] == "2.0.0"


async def test_a_full_disk_stops_no_deployment_and_its_record_is_written_later(
    served: tuple[Path, Deployment],
) -> None:
    home, one = served
    before, blocked = records.load(home), records.folder(home) / ".churn.json.new"
    blocked.mkdir()  # where the next record would be written: OSError, as on a full disk
    os.kill(one.record.view()["pid"], signal.SIGKILL)
    await eventually(lambda: one.record.status == "serving" and one.record.restarts == 1)
    assert (await one.deploy(wish(home, "2.0.0")))["version"] == "2.0.0"
    one.save_again()
    assert records.load(home) == before
    blocked.rmdir()
    one.save_again()
    assert records.load(home) == [one.record]


def test_the_runs_whose_files_are_needed_are_those_served_and_those_to_go_back_to(tmp_path: Path) -> None:
    assert records.served_runs(tmp_path) == set()
    now, before = wish(tmp_path, "2.0.0"), wish(tmp_path, "1.0.0")
    records.save(tmp_path, Record(name="churn", port=8100, status="stopped", current=now, previous=before))
    records.save(tmp_path, Record(name="other", port=8101, current=wish(tmp_path, "3.0.0")))
    (records.folder(tmp_path) / "bad.json").write_text("no record")
    assert records.served_runs(tmp_path) == {"r-1.0.0", "r-2.0.0", "r-3.0.0"}


def test_a_new_name_prefers_the_same_port_and_avoids_those_in_use(tmp_path: Path) -> None:
    first = new_record(tmp_path, "churn", [])
    assert new_record(tmp_path, "churn", []).port == first.port
    assert new_record(tmp_path, "churn", [first]).port != first.port
    with socket.create_server(("127.0.0.1", first.port)):
        assert new_record(tmp_path, "churn", []).port != first.port


def test_state_folders_on_one_machine_do_not_begin_with_the_same_port() -> None:
    first = {records.candidate_ports(Path(f"/home/{person}/state"), "churn", [])[0] for person in ("ann", "ben", "eve")}
    assert len(first) == 3


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = Record(name="churn", port=8100, status="serving", current=wish(tmp_path, "1.0.0"), intents=("a", "b"))
    records.save(tmp_path, record)
    assert records.load(tmp_path) == [record]
    records.forget(tmp_path, "churn")
    assert records.load(tmp_path) == []
