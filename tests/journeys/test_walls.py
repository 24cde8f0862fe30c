"""A whole run whose jobs are inside bubblewrap's walls: the same model, served, and nothing else within reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_jobs.host import processes
from tests.journeys.conftest import PENGUINS, House, a_house, of_test

pytestmark = pytest.mark.needs("bwrap")
ASKED = (PENGUINS, "--target", "species", "--epochs", "6", "--seed", "3")


@pytest.fixture(scope="module")
def walled() -> Iterator[House]:
    with a_house({"NEUROLOOM_RUNNER_ISOLATION": "bubblewrap"}) as found:
        yield found


@pytest.fixture(scope="module")
def document(walled: House) -> dict[str, Any]:
    return walled.document("run", *ASKED)


def test_a_run_inside_walls_ends_with_a_served_model_and_says_what_closed_it(document: dict[str, Any]) -> None:
    assert (document["status"], document["error"]) == ("deployed", None)
    checks = {check["name"]: check for check in document["phases"][0]["gate"]}
    assert checks["isolation"]["measured"] == "bubblewrap" and checks["isolation"]["passed"]
    assert "isolation: bubblewrap" in Path(document["report"]).read_text()


def test_its_jobs_were_really_inside(walled: House, document: dict[str, Any]) -> None:
    jobs = processes.marked(processes.SANDBOX_MARK, document["workspace"])
    assert jobs, "the walls stand for a while after the last job"
    own = Path("/proc/self/ns/net").readlink()
    assert all(Path(f"/proc/{pid}/ns/net").readlink() != own for pid in jobs if processes.namespaced(pid)[1:])


def test_the_metrics_are_those_of_the_same_run_without_walls(document: dict[str, Any], house: House) -> None:
    plain = house.document("run", *ASKED, "--no-deploy")
    checks = {check["name"]: check for check in plain["phases"][0]["gate"]}
    assert checks["isolation"]["measured"] == "none"
    assert "isolation: none; open to jobs: network" in Path(plain["report"]).read_text()
    assert of_test(plain) == of_test(document) != {}


def test_a_file_is_predicted_though_the_walls_close_it_off(walled: House, document: dict[str, Any]) -> None:
    lines = PENGUINS.read_text().splitlines()[:4]
    (walled.workspace / "some.csv").write_text("\n".join(lines) + "\n")
    walled.say("predict", document["run_id"], walled.workspace / "some.csv", "--out", "answers.csv")
    answers = (walled.workspace / "answers.csv").read_text().splitlines()
    assert len(answers) == 4 and "prediction" in answers[0]
    assert not list(Path(document["workspace"]).glob("carried-*"))
    assert "no file" in walled.say("predict", document["run_id"], "gone.csv", "--out", "answers.csv", code=None).stderr
