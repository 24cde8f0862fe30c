"""The disk fills in the middle of a run: the workspace's, then the state folder's. What is told; it goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.conftest import PENGUINS, House, a_house, heard, of_test, wait_for

pytestmark = [pytest.mark.needs("tmpfs"), pytest.mark.slow]
SPECIES = (PENGUINS, "--target", "species", "--no-deploy")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in `folder`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing more fits; returns the file to remove."""
    path = folder / "somebody-elses-file"
    piece = b"x" * 4096
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(piece)
        except OSError:
            assert os.statvfs(folder).f_bavail == 0
    return path


@pytest.fixture(scope="module")
def small_house() -> Iterator[House]:
    """A house whose workspace and state folder are small disks of their own."""
    with a_house() as found, small_disk(found.workspace, "60m"), small_disk(found.home, "24m"):
        yield found
        found.say("down", code=None)


@pytest.mark.timeout(600)
def test_a_run_that_meets_a_full_disk_fails_saying_so_and_resumes_to_the_same_numbers(small_house: House) -> None:
    undisturbed = small_house.document("run", *SPECIES)
    with small_house.start("run", *SPECIES, "--from", undisturbed["run_id"]) as process:
        assert process.stdout is not None
        run = heard(process.stdout, r"^r-\d").split()[0]
        heard(process.stdout, r"^configure: passed")
        filler = fill(small_house.workspace)
        said = process.communicate(timeout=300)[0]
    found = small_house.document("show", run)
    assert process.returncode == 3 and found["status"] == "failed", said
    assert found["error"]["code"].endswith(".disk_full")
    assert "disk" in found["error"]["message"] and "resume" in found["error"]["fix"]
    assert found["error"]["fix"] in said

    still = small_house.document("resume", run, code=3)
    assert still["error"]["code"].endswith(".disk_full"), "nothing was freed yet"
    filler.unlink()
    final = small_house.document("resume", run)
    assert final["status"] == "finished" and of_test(final) == of_test(undisturbed)
    assert [one["status"] for one in final["phases"]] == ["passed"] * 5


@pytest.mark.timeout(600)
def test_a_full_state_folder_halts_a_run_and_it_goes_on_by_itself_when_space_is_freed(small_house: House) -> None:
    undisturbed = small_house.document("show", "latest")
    run = small_house.document("run", *SPECIES, "--from", undisturbed["run_id"], "--detach")["run_id"]
    with small_house.start("watch", run) as watching:
        assert watching.stdout is not None
        heard(watching.stdout, r"^configure: started")
        filler = fill(small_house.home)
        refused = small_house.document("run", *SPECIES, code=3)
        assert refused["error"]["code"] == "memory.disk_full" and "free some space" in refused["error"]["fix"]
        assert small_house.document("show", run)["status"] == "running", "reading goes on"
        filler.unlink()
        watching.communicate(timeout=300)
    final = wait_for(small_house, run, {"finished", "failed"})
    assert final["status"] == "finished", final["error"]
    assert of_test(final) == of_test(undisturbed)
