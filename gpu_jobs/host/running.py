"""One running start of a job as the host sees it: deadline, watchers, how it is ended. It forks nothing."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from gpu_jobs.host import processes
from gpu_jobs.host.record import Record, error_document, exit_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from gpu_jobs.host.cgroups import Group

MB = 1_000_000
MEMBERS_PAUSE = 0.2  # seconds between two looks at how many processes the tree has, and at their memory
DISK_PAUSE = 0.5  # at least so many between two looks at the folder's size
GRACE = 10.0  # seconds between TERM and KILL where nobody said otherwise
NEVER = float("inf")
SIGNALS = {
    signal.SIGXCPU: (
        "job.cpu_time",
        "the job used up its processor time",
        "raise the limit on processor time",
    ),
    signal.SIGXFSZ: (
        "job.file_limit",
        "the job wrote a file beyond its limit",
        "raise the limit on file size",
    ),
}


class Running:
    """A start that has been forked, or adopted from an earlier host.

    Args:
        record: The job's files.
        start: Number of this start.
        spec: `job.json`.
        group: The control group that holds its memory, if any.
        watched: True where this host watches the tree's memory itself; how many processes it has, it always watches.
    """

    def __init__(self, record: Record, start: int, spec: dict[str, Any], group: Group | None, watched: bool) -> None:
        self.record = record
        self.start = start
        self.group = group
        self.limits: dict[str, Any] = spec.get("limits") or {}
        self.began = time.time()
        self.pid: int | None = None
        self.pidfd: int | None = None
        self.ours = False  # forked by the host itself: its status comes from waitpid
        self.warm = False  # forked by the zygote: its status comes from there
        self.kill_at = NEVER
        self._reason: dict[str, Any] | None = None
        self._strays: list[int] = []
        self._next_strays = 0.0
        self._oom_before = processes.oom_kills()
        now = time.monotonic()
        self._watched = watched
        self._next_members = now + MEMBERS_PAUSE if watched or self.limits.get("processes") else NEVER
        self._next_disk = now + DISK_PAUSE if self.limits.get("disk_mb") else NEVER

    @property
    def deadline(self) -> float:
        """Unix time at which the start has had its time."""
        return self.began + float(self.limits.get("seconds") or NEVER)

    def wait(self) -> float:
        """Seconds until something is to be looked at."""
        now = time.monotonic()
        until_deadline = NEVER if self.kill_at < NEVER else self.deadline - time.time()
        return max(0.0, min(self._next_members - now, self._next_disk - now, self.kill_at - now, until_deadline))

    def look(self, root: Path) -> None:
        """Compare with the limits, and end what is beyond them."""
        now = time.monotonic()
        if now >= self.kill_at:
            self.kill()
        elif self.kill_at == NEVER and time.time() >= self.deadline:
            seconds = self.limits.get("seconds")
            error = error_document("job.deadline", f"the job was not done within {seconds} s", "give it more time")
            self.end("timeout", error, GRACE)
        if now >= self._next_members:
            self._look_at_members()
            self._next_members = time.monotonic() + MEMBERS_PAUSE
        if now >= self._next_disk:
            self._look_at_disk(root)
            self._next_disk = time.monotonic() + max(DISK_PAUSE, 10 * (time.monotonic() - now))

    def heed(self) -> None:
        """Obey `control.json`: a cancel becomes TERM, and KILL after the grace that it names."""
        control = self.record.control()
        if not control.get("cancel"):
            return
        grace = float(control.get("grace", GRACE))
        if self._reason is None:
            self.end("cancelled", error_document("job.cancelled", "the job was cancelled"), grace)
        else:
            self.kill_at = min(self.kill_at, time.monotonic() + grace)

    def end(self, state: str, error: dict[str, Any], grace: float) -> None:
        """Record why, then TERM; KILL of the whole tree after `grace` seconds."""
        self._reason = {"start": self.start, "state": state, "error": error}
        with suppress(OSError):  # a full disk must not keep the job alive; this host remembers
            self.record.write_ending(self._reason)
        if grace <= 0:
            self.kill()
            return
        self.kill_at = time.monotonic() + grace
        if self.pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """KILL to the whole tree, now."""
        processes.kill_job(self.record.folder, self._leader())
        processes.kill_all(self.group.members() if self.group else [])
        self.kill_at = time.monotonic() + 1.0  # looked at again should anything withstand

    def died(self, status: int | None) -> None:
        """Record the end of a start that left none; then nothing of its tree is left behind.

        A start that wrote its own end may leave strays: the host calls `clear` a moment later.

        Args:
            status: Exit code, minus the signal's number, or None when nobody could wait for it.

        Raises:
            OSError: The disk is full even for the reserved blocks; call again later.
        """
        ended = self.record.exit() or {}
        if ended.get("start", 0) < self.start:
            processes.kill_job(self.record.folder)
            self.record.write_exit(self._verdict(status))
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def clear(self) -> None:
        """Kill what the start left running, and give its control group back."""
        processes.kill_job(self.record.folder)
        if self.group:
            processes.kill_all(self.group.members())
            self.group.remove()

    def _verdict(self, status: int | None) -> dict[str, Any]:
        seconds = time.time() - self.began
        ending = self._reason or self.record.ending(self.start)
        number = -status if status is not None and status < 0 else None
        code = None if status is None else 128 + number if number else 1
        if ending:
            return exit_document(self.start, ending["state"], seconds, ending.get("error"))
        if status in (None, 0, -signal.SIGKILL):
            return self._killed(seconds)
        if number and signal.Signals(number) in SIGNALS:
            known = SIGNALS[signal.Signals(number)]
            return exit_document(self.start, "failed", seconds, error_document(*known), code)
        if status == SILENT_STATUS:
            error = error_document(
                "job.disk_full", "the disk was full when the job began", "free some disk space, then resume the run"
            )
            return exit_document(self.start, "failed", seconds, error)
        how = f"killed by {signal.Signals(number).name}" if number else f"left with code {status} and no word"
        error = error_document("job.crashed", f"the job was {how}", "the job's log may say why")
        return exit_document(self.start, "failed", seconds, error, code)

    def _killed(self, seconds: float) -> dict[str, Any]:
        """SIGKILL from outside: by the kernel for want of memory, or by somebody we do not know."""
        in_group = self.group is not None and self.group.oom_kills() > 0
        if in_group or processes.oom_kills() > self._oom_before:
            limit = f" of {self.limits.get('memory_mb')} MB" if in_group else ""
            message = f"the kernel killed the job for want of memory{limit}"
            error = error_document("job.memory", message, "raise the limit or use a smaller batch")
            return exit_document(self.start, "failed", seconds, error, 137)
        error = error_document("job.lost", "the job's process was killed", "run the same job again")
        return exit_document(self.start, "lost", seconds, error)

    def _leader(self) -> int | None:
        """The job's process, where its pid is certainly still its own."""
        return self.pid if self.pid is not None and processes.start_ticks(self.pid) is not None else None

    def _look_at_members(self) -> None:
        if self.pid is None:
            return
        now = time.monotonic()
        if now >= self._next_strays:  # what left the session and its parents: dearer to find
            self._strays = processes.job_members(self.record.folder)
            self._next_strays = now + 10 * MEMBERS_PAUSE
        pids = sorted({*processes.tree(self.pid), *self._strays})
        most = self.limits.get("processes")
        if most and len(pids) > most:
            error = error_document("job.processes", f"the job had more processes than its limit of {most}")
            self.end("failed", error, 0)
        elif self._watched:
            self._look_at_memory(pids)

    def _look_at_memory(self, pids: list[int]) -> None:
        limit = int(self.limits["memory_mb"]) * MB
        if processes.resident_bytes(pids) <= limit or processes.proportional_bytes(pids) <= limit:
            return
        message = f"the job used more memory than its limit of {self.limits['memory_mb']} MB"
        self.end("failed", error_document("job.memory", message, "raise the limit or use a smaller batch"), 0)

    def _look_at_disk(self, root: Path) -> None:
        limit = int(self.limits["disk_mb"]) * MB
        if folder_bytes(root) <= limit:
            return
        message = f"the sandbox's folder grew beyond its limit of {self.limits['disk_mb']} MB"
        self.end("failed", error_document("job.disk_limit", message, "raise the limit or remove files"), 0)


SILENT_STATUS = 78


def folder_bytes(folder: Path) -> int:
    """Disk space that everything below a folder takes, each file counted once; links are not followed."""
    total, seen, stack = 0, set(), [str(folder)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    stat = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif stat.st_ino not in seen:
                        seen.add(stat.st_ino)
                        total += stat.st_blocks * 512
        except OSError:
            continue  # removed meanwhile
    return total
