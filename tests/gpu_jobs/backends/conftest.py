"""Every backend under the same checks. What one cannot do is listed with the reason, and must really fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gpu_jobs.backends.protocol import Backend, Sandbox, SandboxRequest
from tests.gpu_jobs.backends.rows import ROWS, Row
from tests.sshd import Sshd, an_sshd

KINDS = [pytest.param(name, marks=[pytest.mark.needs(tool) for tool in row.needs]) for name, row in ROWS.items()]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if reason := ROWS[request.param].gaps.get(request.node.originalname):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return str(request.param)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with an_sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def row(kind: str) -> Row:
    return ROWS[kind]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def another(row: Row, home: Path, request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Backend]]:
    """Makes a backend object that shares nothing with the others but where its sandboxes are kept."""
    async with AsyncExitStack() as ends:
        yield lambda: row.make(request, home, ends)


@pytest.fixture
def backend(another: Callable[[], Backend]) -> Backend:
    return another()


@pytest.fixture
async def sandbox(backend: Backend, tmp_path: Path) -> AsyncIterator[Sandbox]:
    opened = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    yield opened
    for info in await backend.list():
        await backend.destroy(info.id)
