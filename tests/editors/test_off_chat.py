"""A real run asks and ends while nobody looks: the next prompt of a chat and a webhook hear of it, no cell with it."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from editors.hook_door import Place
from phases.notices import read_notices
from tests.editors.conftest import Editor
from tests.journeys.conftest import House, a_house, wait_for

CELL, COLUMN = "zebra-canary", "quagga_column"


class Webhook(BaseHTTPRequestHandler):
    texts: list[str] = []  # noqa: RUF012 - one server, one list

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.texts.append(str(json.loads(self.rfile.read(length))["text"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/T0P-S3CRET"
    try:
        with a_house({"NEUROLOOM_NOTIFY_WEBHOOK": address, "NEUROLOOM_NOTIFY_DESKTOP": "no"}) as found:
            yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def table(house: House) -> Path:
    draw = random.Random(3)
    rows = [(draw.random(), draw.choice(["a", CELL])) for _ in range(400)]
    lines = [f"{number:.4f},{kind},{'yes' if number > 0.5 else 'no'}" for number, kind in rows]
    path = house.workspace / "table.csv"
    path.write_text("\n".join([f"number,kind,{COLUMN}", *lines]) + "\n")
    return path


def heard(editor: Editor) -> str:
    found = editor.send("UserPromptSubmit", prompt="?")
    return "" if found.document is None else str(found.document["hookSpecificOutput"]["additionalContext"])


@pytest.mark.slow
def test_a_question_and_an_end_reach_the_chat_once_and_the_person_off_chat(house: House, table: Path) -> None:
    editor = Editor("claude-code", Place(house.home, house.home), house.workspace)
    editor.send("SessionStart")
    run = house.document("run", table, "--detach", "--no-deploy", "--epochs", "2")["run_id"]
    wait_for(house, run, {"waiting"})
    house.say("runs")  # a door that looks takes nothing away from what hooks read
    asked = heard(editor)
    assert f"run {run} waits for a person (target)" in asked and heard(editor) == ""
    house.say("approve", run, "--target", COLUMN)
    ended = wait_for(house, run, {"finished", "rejected"})["status"]
    house.say("down")  # the runner ends only after it has told everybody
    told = heard(editor)
    assert f"run {run} ended" in told and heard(editor) == ""
    kinds = [one.kind for one in read_notices(house.home, house.workspace)]
    assert kinds == ["running", "waiting", "running", ended]

    notified = [event for event in house.events(run) if event["type"] == "notified"]
    assert [(one["channel"], one["about"], one["outcome"]) for one in notified] == [
        ("webhook", "waiting", "ok"),
        ("webhook", ended, "ok"),
    ]
    assert len(Webhook.texts) == 2 and all(run in text for text in Webhook.texts)
    everything = "".join([asked, told, *Webhook.texts, json.dumps(notified)])
    everything += "".join(path.read_text() for path in (house.home / "notices").iterdir())
    assert CELL not in everything and COLUMN not in everything and "T0P-S3CRET" not in everything
    assert "T0P-S3CRET" not in (house.home / "runner.log").read_text()
