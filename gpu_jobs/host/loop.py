"""The host's loop: finds wanted jobs, forks them, watches them, records how they end, and leaves when idle.

It keeps nothing that is not on disk: a new host in the same root adopts what runs and goes on. It imports
neither torch nor any data library: `zygote.py` holds torch, the forks import the rest.
"""

from __future__ import annotations

import os
import select
import time

from gpu_jobs.host import processes
from gpu_jobs.host.child import HELD, WARM_KINDS, be_child, light
from gpu_jobs.host.record import Record, error_document, exit_document
from gpu_jobs.host.running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from gpu_jobs.host.inbox import Inbox
    from gpu_jobs.host.zygote import Zygote

WARMING_KINDS = frozenset({"snapshot", "profile", "prepare"})  # after these somebody will want torch
AGAIN = 0.1  # seconds until something that could not be done is tried again
STRAYS = 1.0  # seconds until what an ended job left running is looked for: a dear look, and the next job waits for it


class Host:
    """The single host of one sandbox.

    Args:
        root: The sandbox's root, absolute.
        idle: Seconds without a job after which it leaves.
        tasks: Folder with further task kinds, or None.
        group: Control group given to us for the jobs, or None to look for one.
    """

    def __init__(self, root: Path, idle: float, tasks: str | None, group: str | None) -> None:
        self._root = root
        self._jobs = root / "jobs"
        self._idle = idle
        self._tasks = tasks
        self._given_group = group
        self._running: dict[str, Running] = {}
        self._again: dict[str, float] = {}
        self._left: dict[Running, float] = {}  # ended by itself: its strays are looked for a moment later
        self._over: dict[str, int | None] = {}  # ended, and the end is not on disk yet
        self._zygote: Zygote | None = None
        self._inbox: Inbox | None = None
        self._poller = select.poll()
        self._busy_at = time.monotonic()
        self._next_scan = 0.0

    def live(self) -> None:
        """Run until idle long enough, or until the root is gone."""
        self._scan()
        self._listen()
        while self._root_stands():
            if not (self._running or self._again or self._left) and time.monotonic() - self._busy_at >= self._idle:
                return
            self._serve(self._poller.poll(self._timeout() * 1000))
        for running in self._running.values():
            running.kill()

    def pending(self) -> bool:
        """Whether a job waits to be started: looked at once more before leaving."""
        return any(Record(folder).stage() == "pending" for folder in self._folders())

    # -- what wakes it ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        from gpu_jobs.host.inbox import Inbox

        self._inbox = Inbox(self._jobs)
        for folder in self._folders():
            self._inbox.follow(folder.name)
        if self._inbox.descriptor >= 0:
            self._poller.register(self._inbox.descriptor, select.POLLIN)
        self._scan()  # what came before the inbox was open

    def _timeout(self) -> float:
        now = time.monotonic()
        waits = [self._next_scan - now, *(running.wait() for running in self._running.values())]
        waits += [at - now for at in self._again.values()]
        waits += [at - now for at in self._left.values()]
        waits += [AGAIN] if self._over else []
        return max(0.0, min(waits))

    def _serve(self, ready: Iterable[tuple[int, int]]) -> None:
        for descriptor, _ in ready:
            if self._inbox is not None and descriptor == self._inbox.descriptor:
                self._news(self._inbox.read())
            elif self._zygote is not None and descriptor == self._zygote.answers:
                self._hear(self._zygote)
            else:
                self._reap(descriptor)
        self._due(time.monotonic())

    def _due(self, now: float) -> None:
        """What is to be done because of the time."""
        for job_id in [job_id for job_id, at in self._again.items() if now >= at]:
            del self._again[job_id]
            self._look(job_id)
        for running in list(self._running.values()):
            if running.wait() <= 0:
                running.look(self._root)
        for job_id, status in list(self._over.items()):
            self._ended(job_id, status)
        for running in [left for left, at in self._left.items() if now >= at]:
            self._clear(running)
        if now >= self._next_scan:
            self._scan()

    def _news(self, names: set[str]) -> None:
        for name in names:
            if name == "*":
                self._scan()
            else:
                self._look(name)

    def _scan(self) -> None:
        for folder in self._folders():
            self._look(folder.name)
        self._next_scan = time.monotonic() + (self._inbox.pause if self._inbox else 0.02)

    def _folders(self) -> list[Path]:
        return sorted(path for path in self._jobs.iterdir() if path.is_dir()) if self._root_stands() else []

    def _root_stands(self) -> bool:
        return self._jobs.is_dir()

    # -- one job ---------------------------------------------------------------------------------------

    def _look(self, job_id: str) -> None:
        folder = self._jobs / job_id
        if job_id in self._over or not folder.is_dir():
            return
        if self._inbox is not None:
            self._inbox.follow(job_id)
        if job_id in self._running:
            self._running[job_id].heed()
            return
        record = Record(folder)
        stage = record.stage()
        if stage == "corrupt":
            self._corrupt(record)
        elif stage == "running":
            self._adopt(record)
        elif stage == "dead":
            self._busy_at = time.monotonic()
            self._bury(record)
        elif stage == "pending":
            self._begin(record)

    def _begin(self, record: Record) -> None:
        self._busy_at = time.monotonic()
        spec = record.job() or {}
        start = spec["start"]
        if record.control().get("cancel"):
            error = error_document("job.cancelled", "the job was cancelled before it began")
            self._refuse(record, exit_document(start, "cancelled", 0.0, error))
            return
        warm = spec["kind"] in WARM_KINDS and not light(spec["kind"], self._tasks)
        if warm and not self._warm().ready:
            return  # stays pending, so that it can still be cancelled at once; looked at when torch is there
        self._clear_earlier(record, start)
        running = self._planned(record, spec)
        self._running[record.id] = running
        plan = {"memory": "none", "group": None, "tasks": self._tasks}
        if running.limits.get("memory_mb"):
            plan["memory"] = "cgroup" if running.group else "watcher"
            plan["group"] = str(running.group.folder) if running.group else None
        if warm:
            running.warm = self._warm().ask(record.id, start, plan)
            if not running.warm:
                self._retry(record.id)
            return
        self._fork(running, plan)
        if spec["kind"] in WARMING_KINDS and not light(spec["kind"], self._tasks):
            self._warm()

    def _clear_earlier(self, record: Record, start: int) -> None:
        """Leave nothing of earlier starts: a new one must be alone."""
        for left in [left for left in self._left if left.record.id == record.id]:
            self._clear(left)
        if start > 1:
            processes.kill_job(record.folder)

    def _planned(self, record: Record, spec: dict[str, Any]) -> Running:
        memory_mb = (spec.get("limits") or {}).get("memory_mb")
        group = None
        if memory_mb:
            from gpu_jobs.host.cgroups import open_group

            group = open_group(f"neuroloom-{os.getpid()}-{record.id}", memory_mb, self._given_group)
        return Running(record, spec["start"], spec, group, watched=bool(memory_mb) and group is None)

    def _fork(self, running: Running, plan: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            processes.close_descriptors(set())
            be_child(self._root, running.record.id, running.start, plan)
        running.pid = pid
        running.ours = True
        running.pidfd = os.pidfd_open(pid)
        self._poller.register(running.pidfd, select.POLLIN)

    def _adopt(self, record: Record) -> None:
        """Take over what runs already, from an earlier host or a zygote that died."""
        self._busy_at = time.monotonic()
        process = record.process() or {}
        handle = processes.watch(process)
        if handle is None:
            self._again[record.id] = time.monotonic()
            return
        spec = record.job() or {}
        held = (process.get("limits") or {}).get("memory")
        running = Running(record, process["start"], spec, None, watched=held == "watcher")
        running.began = process.get("started_at", running.began)
        running.pid, running.pidfd = process["pid"], handle
        self._running[record.id] = running
        self._poller.register(handle, select.POLLIN)
        ending = record.ending(running.start)
        if ending:
            running.end(ending["state"], ending["error"], 1.0)
        running.heed()

    def _bury(self, record: Record) -> None:
        """A start that died while no host was looking."""
        process = record.process() or {}
        running = Running(record, process["start"], record.job() or {}, None, watched=False)
        running.began = process.get("started_at", running.began)
        self._running[record.id] = running
        self._ended(record.id, None)

    def _corrupt(self, record: Record) -> None:
        """An unreadable `job.json` gets a moment to be finished by its writer; then it is refused."""
        age = time.time() - (record.folder / "job.json").stat().st_mtime
        start = max((found or {}).get("start", 0) for found in (record.process(), record.exit())) + 1
        if record.exit() is not None and record.job() is None:
            return  # refused before; a good job.json may replace it
        if age < 1.0:
            self._again[record.id] = time.monotonic() + AGAIN
            return
        error = error_document("job.bad_spec", f"job.json of job {record.id!r} cannot be read as a job")
        self._refuse(record, exit_document(start, "failed", 0.0, error))

    def _refuse(self, record: Record, ended: dict[str, Any]) -> None:
        try:
            record.write_exit(ended)
        except OSError:
            self._again[record.id] = time.monotonic() + AGAIN  # the disk is full: later

    def _retry(self, job_id: str) -> None:
        self._running.pop(job_id, None)
        self._again[job_id] = time.monotonic() + AGAIN

    # -- ends ------------------------------------------------------------------------------------------

    def _reap(self, descriptor: int) -> None:
        found = [job for job, running in self._running.items() if running.pidfd == descriptor]
        if not found:
            return  # closed meanwhile
        running = self._running[found[0]]
        if running.pid is None or processes.start_ticks(running.pid) is not None:
            return  # the number was given to another one meanwhile
        self._poller.unregister(descriptor)
        if running.warm:
            os.close(descriptor)
            running.pidfd = None  # its status comes from the zygote
            return
        status = os.waitstatus_to_exitcode(os.waitpid(running.pid, 0)[1]) if running.ours else None
        self._ended(found[0], status)

    def _ended(self, job_id: str, status: int | None) -> None:
        running = self._running[job_id]
        self._busy_at = time.monotonic()
        stage = running.record.stage()
        if status == HELD or stage == "running":  # another process has the job: adopt it, or try again
            if running.pidfd is not None:
                os.close(running.pidfd)
            self._over.pop(job_id, None)
            self._retry(job_id)
            return
        try:
            running.died(status)
        except OSError:
            self._over[job_id] = status  # the disk is full even for this: later
            return
        self._over.pop(job_id, None)
        del self._running[job_id]
        self._left[running] = self._busy_at + STRAYS
        self._look(job_id)

    def _clear(self, running: Running) -> None:
        running.clear()
        del self._left[running]

    # -- the zygote ------------------------------------------------------------------------------------

    def _warm(self) -> Zygote:
        if self._zygote is None:
            from gpu_jobs.host.zygote import Zygote

            self._zygote = Zygote(self._root)
            self._poller.register(self._zygote.answers, select.POLLIN)
        return self._zygote

    def _hear(self, zygote: Zygote) -> None:
        messages = zygote.hear()
        if messages is None:
            self._zygote_died(zygote)
            return
        for message in messages:
            running = self._running.get(message.get("id", ""))
            if "ready" in message:
                self._scan()
            if running is None:
                continue
            if "status" in message:
                if running.pidfd is not None:
                    self._poller.unregister(running.pidfd)
                self._ended(message["id"], message["status"])
                continue
            running.pid = message["pid"]
            running.pidfd = _pidfd(message["pid"])
            if running.pidfd is not None:
                self._poller.register(running.pidfd, select.POLLIN)
                running.heed()

    def _zygote_died(self, zygote: Zygote) -> None:
        """Its jobs go on without it: look at each by its files."""
        self._poller.unregister(zygote.answers)
        zygote.close()
        self._zygote = None
        for job_id, running in list(self._running.items()):
            if running.warm:
                if running.pidfd is not None:
                    self._poller.unregister(running.pidfd)
                    os.close(running.pidfd)
                self._retry(job_id)


def _pidfd(pid: int) -> int | None:
    """A pidfd of a zygote's child; None when it is gone, and the zygote says how."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
