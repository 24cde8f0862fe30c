"""The person's file is deleted, cut off or replaced while its run is going: noticed, not used, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import PENGUINS, House, a_house, heard, of_test, wait_for

pytestmark = pytest.mark.slow
CHANGED = "it has changed since: the run used the snapshot"
WORDS = ("--target", "species", "--no-deploy")


@pytest.fixture(scope="module")
def narrow() -> Iterator[House]:
    """A house in which one run goes at a time: the next one waits before its snapshot."""
    with a_house({"NEUROLOOM_RUNNER_RUNS_AT_ONCE": "1"}) as found:
        yield found


@pytest.mark.timeout(600)
def test_a_file_gone_before_its_snapshot_fails_the_run_which_resumes_when_it_is_back(narrow: House) -> None:
    data, kept = narrow.workspace / "birds.csv", narrow.workspace / "kept.csv"
    shutil.copy(PENGUINS, data)
    shutil.copy(PENGUINS, kept)
    first = narrow.document("run", kept, *WORDS, "--epochs", "4000", "--detach")["run_id"]
    wait_for(narrow, first, {"running"})
    run = narrow.document("run", data, *WORDS, "--detach")["run_id"]
    assert "waits for a free place" in narrow.say("show", run).stdout
    data.unlink()
    narrow.say("cancel", first, "--now")
    found = wait_for(narrow, run, {"failed", "finished"})
    assert (found["status"], found["error"]["code"]) == ("failed", "input.missing_file")
    assert str(data) in found["error"]["message"]
    assert narrow.document("resume", run, code=4)["error"]["code"] == "input.missing_file"
    shutil.copy(PENGUINS, data)
    assert narrow.document("resume", run)["status"] == "finished"


@pytest.mark.timeout(600)
def test_files_changed_after_their_snapshot_are_noticed_and_the_snapshot_is_used(narrow: House) -> None:
    deleted, cut_off, replaced = files = three_files(narrow.workspace)
    words = ("run", deleted, "--validation", cut_off, "--test", replaced, *WORDS)
    undisturbed = narrow.document(*words)
    assert CHANGED not in Path(undisturbed["report"]).read_text()
    with narrow.start(*words, "--from", undisturbed["run_id"]) as process:
        assert process.stdout is not None
        run = heard(process.stdout, r"^r-\d").split()[0]
        heard(process.stdout, r"^configure: started")
        deleted.unlink()
        os.truncate(cut_off, 200)
        other = replaced.with_suffix(".new")
        other.write_text("species,mass\n" + "Adelie,1\nGentoo,2\n" * 30)
        other.replace(replaced)
        process.send_signal(signal.SIGINT)  # and the run is interrupted on top of it
        process.communicate(timeout=300)
    final = narrow.document("resume", run)
    assert final["status"] == "finished", final["error"]
    assert of_test(final) == of_test(undisturbed)
    assert Path(final["report"]).read_text().count(CHANGED) == len(files)


def three_files(folder: Path) -> tuple[Path, Path, Path]:
    """The penguins in three files: to learn from, to choose by, to test on."""
    header, *rows = PENGUINS.read_text().splitlines(keepends=True)
    paths = folder / "learn.csv", folder / "choose.csv", folder / "test.csv"
    for number, path in enumerate(paths):
        mine = [row for place, row in enumerate(rows) if max(0, place % 5 - 2) == number]
        path.write_text(header + "".join(mine))
    return paths
