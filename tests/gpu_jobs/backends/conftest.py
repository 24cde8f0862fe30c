"""Every backend under the same checks. What one cannot do is listed with the reason, and must really fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Backend, Sandbox, SandboxRequest
from gpu_jobs.backends.ssh import SshBackend
from tests.gpu_jobs.backends.fake import FakeBackend
from tests.sshd import Sshd, an_sshd

BACKENDS = ("local", "fake", pytest.param("ssh", marks=pytest.mark.needs("sshd")))
NO_PROCESSES = "it runs no real processes"
KNOWN_GAPS: dict[str, dict[str, str]] = {
    "local": {},
    "ssh": {},
    "fake": {
        "test_a_command_sees_its_variables_and_its_folder": NO_PROCESSES,
        "test_a_command_killed_by_a_signal_says_which": NO_PROCESSES,
        "test_ten_megabytes_of_output_are_kept_and_the_rest_is_cut": NO_PROCESSES,
        "test_a_timeout_kills_the_grandchildren_too": NO_PROCESSES,
        "test_a_cancelled_command_is_killed": NO_PROCESSES,
        "test_what_a_command_leaves_behind_with_its_output_open_is_killed_at_the_timeout": NO_PROCESSES,
        "test_standard_error_is_kept_apart": NO_PROCESSES,
        "test_a_command_that_reads_nothing_of_a_large_input_ends": NO_PROCESSES,
        "test_the_log_is_streamed_from_an_offset_while_it_grows": NO_PROCESSES,
        "test_a_started_process_outlives_who_started_it": NO_PROCESSES,
        "test_term_lets_a_process_end_itself_and_its_code_is_kept": NO_PROCESSES,
        "test_kill_reaches_grandchildren_in_other_sessions": NO_PROCESSES,
        "test_a_recycled_pid_is_not_taken_for_the_process": "its handles are never recycled",
        "test_a_killed_keeper_is_lost": NO_PROCESSES,
        "test_destroying_ends_every_process": NO_PROCESSES,
        "test_a_sandbox_whose_folder_is_gone_is_swept": "it has no folder",
        "test_a_sandbox_is_attached_to_from_another_object": "it lives in one object",
        "test_a_link_that_leaves_the_sandbox_is_refused": "it has no links",
        "test_opening_a_name_again_with_another_root_is_refused": "it has no root of its own",
    },
}


@pytest.fixture(params=BACKENDS)
def kind(request: pytest.FixtureRequest) -> str:
    gaps = KNOWN_GAPS[request.param]
    if reason := gaps.get(request.node.originalname):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return str(request.param)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with an_sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


async def leave_nothing(far: SshBackend) -> None:
    """The tests share one far folder, so that our code is sent there once."""
    for info in await far.list():
        await far.destroy(info.id)
    await far.close()


@pytest.fixture
async def another(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Backend]]:
    """Makes a backend object that shares nothing with the others but where its sandboxes are kept."""
    async with AsyncExitStack() as ends:

        def make() -> Backend:
            if kind == "ssh":
                far = SshBackend(request.getfixturevalue("sshd").settings(), waits=())
                ends.push_async_callback(leave_nothing, far)
                return far
            return LocalBackend(LocalSettings(), tmp_path / "home") if kind == "local" else FakeBackend()

        yield make


@pytest.fixture
def backend(another: Callable[[], Backend]) -> Backend:
    return another()


@pytest.fixture
async def sandbox(backend: Backend, tmp_path: Path) -> AsyncIterator[Sandbox]:
    opened = await backend.open(SandboxRequest(owner="r-1", root=str(tmp_path / "root")))
    yield opened
    await backend.destroy(opened.info.id)
