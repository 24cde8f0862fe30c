"""The table of backends under the suite: how each is made, how it is lost, and what it cannot do, with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gpu_jobs.backends.local import LocalBackend, LocalSettings
from gpu_jobs.backends.protocol import Backend, Isolation, Sandbox
from gpu_jobs.backends.ssh import SshBackend
from gpu_jobs.backends.ssh_settings import SshSettings
from gpu_jobs.host import processes
from tests.gpu_jobs.backends.fake import FakeBackend

NO_PROCESSES = "it runs no real processes"
NO_WALLS = "it has no walls: a process sees the machine as we do"
ONE_OBJECT = "it lives in one object"
Make = Callable[[pytest.FixtureRequest, Path, AsyncExitStack], Backend]


@dataclass(frozen=True)
class Row:
    """One backend under the suite.

    Attributes:
        make: A backend object with that home; each call makes one that shares nothing with the others but the home.
        lose: Does to a sandbox what happens when the place that it is in breaks down.
        rebuilt: What a fresh process makes the same backend from: kind and settings, for `starter`.
        gaps: Test name to the reason why this backend cannot pass it; it must really fail.
        needs: System tools.
    """

    make: Make
    lose: Callable[[Sandbox], None]
    rebuilt: Callable[[pytest.FixtureRequest], tuple[str, str]] = lambda _request: ("", "")
    gaps: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def rebuilt(kind: str, settings: str, home: Path) -> Backend:
    """The backend of `Row.rebuilt` in a fresh process."""
    if kind == "ssh":
        return SshBackend(SshSettings.model_validate_json(settings), waits=())
    return LocalBackend(LocalSettings.model_validate_json(settings), home)


def _local(isolation: Isolation, gaps: Mapping[str, str], *needs: str) -> Row:
    settings = LocalSettings(isolation=isolation)

    def make(_request: pytest.FixtureRequest, home: Path, _ends: AsyncExitStack) -> Backend:
        return LocalBackend(settings, home)

    return Row(make, _end_everything, lambda _request: ("local", settings.model_dump_json()), gaps, needs)


def _end_everything(sandbox: Sandbox) -> None:
    """As if the machine had stopped: everything of the sandbox is killed, whoever holds it first."""
    processes.kill_all(
        [pid for pid in processes.marked(processes.SANDBOX_MARK, sandbox.info.root) if pid != os.getpid()]
    )


async def leave_nothing(far: SshBackend) -> None:
    """The tests share one far folder, so that our code is sent there once."""
    for info in await far.list():
        await far.destroy(info.id)
    await far.close()


def _ssh(request: pytest.FixtureRequest, _home: Path, ends: AsyncExitStack) -> Backend:
    far = SshBackend(request.getfixturevalue("sshd").settings(), waits=())
    ends.push_async_callback(leave_nothing, far)
    return far


def _again_by_ssh(request: pytest.FixtureRequest) -> tuple[str, str]:
    return "ssh", request.getfixturevalue("sshd").settings().model_dump_json()


def _fake(_request: pytest.FixtureRequest, _home: Path, _ends: AsyncExitStack) -> Backend:
    return FakeBackend()


def _cancel(sandbox: Sandbox) -> None:
    for process in getattr(sandbox, "processes").values():  # noqa: B009 - the fake's own
        process.lose()


OPEN = {
    name: NO_WALLS
    for name in (
        "test_the_network_outside_is_closed",
        "test_files_outside_are_closed",
        "test_nothing_outside_can_be_written",
        "test_secrets_of_our_environment_stay_outside",
        "test_processes_outside_are_neither_seen_nor_signalled",
        "test_another_sandbox_is_closed",
        "test_no_capability_and_no_new_namespace_is_to_be_had",
        "test_the_temporary_folder_is_its_own",
        "test_what_is_given_can_be_read_and_not_written",
    )
}
FAR = {name: why for name, why in OPEN.items() if name != "test_secrets_of_our_environment_stay_outside"}
"""Of another machine: our environment is not there; its network and its files are."""

WITHOUT_PROCESSES = (
    "test_a_command_sees_its_variables_and_its_folder",
    "test_a_command_killed_by_a_signal_says_which",
    "test_exit_codes_come_back_as_they_are",
    "test_ten_megabytes_of_output_are_kept_and_the_rest_is_cut",
    "test_a_timeout_kills_the_grandchildren_too",
    "test_a_cancelled_command_is_killed",
    "test_what_a_command_leaves_behind_with_its_output_open_is_killed_at_the_timeout",
    "test_standard_error_is_kept_apart",
    "test_a_command_that_reads_nothing_of_a_large_input_ends",
    "test_the_log_is_streamed_from_an_offset_while_it_grows",
    "test_a_started_process_is_found_again_after_its_starter_was_killed",
    "test_term_lets_a_process_end_itself_and_its_code_is_kept",
    "test_kill_reaches_grandchildren_in_other_sessions",
    "test_a_killed_keeper_is_lost",
    "test_destroying_ends_every_process",
    "test_a_command_ends_with_its_sandbox",
    "test_two_sandboxes_work_at_once_and_share_no_file",
    "test_its_own_loopback_is_open",
    "test_a_command_reads_what_was_written_and_we_read_what_it_wrote",
)
FAKE: dict[str, str] = {
    **dict.fromkeys(WITHOUT_PROCESSES, NO_PROCESSES),
    **dict.fromkeys(OPEN, NO_PROCESSES),
    "test_a_recycled_pid_is_not_taken_for_the_process": "its handles are never recycled",
    "test_a_sandbox_whose_folder_is_gone_is_swept": "it has no folder",
    "test_a_folder_that_is_gone_is_told": "it has no folder",
    "test_a_sandbox_is_attached_to_from_another_object": ONE_OBJECT,
    "test_a_link_that_leaves_the_sandbox_is_refused": "it has no links",
    "test_opening_a_name_again_with_another_root_is_refused": "it has no root of its own",
}
ROWS: dict[str, Row] = {
    "local": _local("none", OPEN),
    "bubblewrap": _local("bubblewrap", {}, "bwrap"),
    "ssh": Row(_ssh, _end_everything, _again_by_ssh, FAR, ("sshd",)),
    "fake": Row(_fake, _cancel, gaps=FAKE),
}
"""A further backend is a row here, and in `rebuilt`; nothing else."""
