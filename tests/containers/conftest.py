"""A published workspace to build an image from, and the docker command."""

from __future__ import annotations

import random
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import House, house

__all__ = ["house"]
BASE, LOCAL_BASE = "python:3.11-slim", "neuroloom-test-base:debian"
SECRET = "not-for-the-image-5f2a91"


def docker(*words: object, code: int | None = 0, folder: Path | None = None) -> str:
    """What a docker command prints, errors included; its exit code is looked at."""
    ran = subprocess.run(
        ["docker", *map(str, words)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert code is None or ran.returncode == code, f"docker {words}: exit {ran.returncode}\n{ran.stdout}"
    return ran.stdout.strip()


@pytest.fixture(scope="session")
def base() -> str:
    """The Dockerfile's own base image where it is here or a registry gives it, else one of this machine's packages."""
    for command in (["docker", "image", "inspect", BASE], ["docker", "pull", "--quiet", BASE]):
        if subprocess.run(command, capture_output=True, timeout=300).returncode == 0:
            return BASE
    script = Path(__file__).with_name("debian_base.py")
    subprocess.run(["/usr/bin/python3", "-P", str(script), LOCAL_BASE], check=True, capture_output=True)
    return LOCAL_BASE


@pytest.fixture(scope="module")
def workspace(house: House) -> Path:
    """The published workspace of a run whose table has a person's address in each row, which the model does not use."""
    draw = random.Random(3)
    lines = ["email,age,plan,calls,churned"]
    for place in range(600):
        age, calls = draw.randint(18, 80), draw.randint(0, 9)
        plan = draw.choice(["basic", "plus"])
        leaves = (calls > 5) if plan == "basic" else (calls < 3)
        lines.append(f"person{place:04d}@mail.example,{age},{plan},{calls},{leaves}")
    table = house.workspace / "people.csv"
    table.write_text("\n".join(lines) + "\n")
    document = house.document("run", table, "--target", "churned", "--no-deploy")
    root = Path(document["workspace"])
    (root / ".env").write_text(f"TOKEN={SECRET}\n")
    (root / "scripts" / "notes.txt").write_text(SECRET)
    return root


@pytest.fixture(scope="module")
def image(workspace: Path, base: str) -> Iterator[str]:
    """The image that the workspace's own Dockerfile builds."""
    tag = f"neuroloom-test-{uuid.uuid4().hex[:8]}"
    docker("build", "--build-arg", f"BASE={base}", "--tag", tag, ".", folder=workspace)
    yield tag
    docker("rmi", "--force", tag, code=None)
