"""What a forked process does for one start of a job: claim it, limit itself, run the task, say how it ended.

It never returns. The claim is a lock that lives as long as the job's processes: no crash of a host, and
no second host, can start a job twice.
"""

from __future__ import annotations

import errno
import faulthandler
import fcntl
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from gpu_jobs.host import processes
from gpu_jobs.host.files import RESERVED, reserve, write_bytes
from gpu_jobs.host.record import Record, error_document, exit_document
from gpu_jobs.tasks.job import Cancelled, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

HELD = 77  # another process holds the job
SILENT = 78  # the end could not be written: the disk is full
TORCH_KINDS = frozenset({"preflight", "connect", "train", "export", "evaluate", "test"})
WARM_KINDS = TORCH_KINDS | {"plots"}  # forked from the warm process, which has what they import
MB = 1_000_000


def be_child(root: Path, job_id: str, start: int, plan: dict[str, Any]) -> NoReturn:
    """Run start number `start` of a job in this freshly forked process, and leave it.

    Args:
        root: The sandbox's root, absolute.
        job_id: The job.
        start: The start that is wanted.
        plan: `memory` (`cgroup`, `watcher` or `none`), `group` (folder of a control group or None), `tasks`
            (folder with further kinds, or None).
    """
    code = SILENT
    try:
        code = _claimed(root, job_id, start, plan)
    except BaseException:  # the outermost frame: nothing may fall back into the host's code
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _claimed(root: Path, job_id: str, start: int, plan: dict[str, Any]) -> int:
    record = Record(root / "jobs" / job_id)
    os.setsid()
    lock = os.open(record.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return HELD
    spec = record.job() or {}
    newest = max((found or {}).get("start", 0) for found in (record.process(), record.exit()))
    if spec.get("start", 0) != start or newest >= start:
        return 0  # somebody else was faster: this start has been taken already
    begin = time.monotonic()
    job = Job(root, spec)
    _surroundings(job, record)
    try:
        asked = spec.get("limits") or {}
        limits = _limit(asked, plan)
        reserve(record.folder / RESERVED)
        began = {"start": start, "starts": start, "started_at": time.time(), "limits": limits}
        record.write_process({**processes.identity(os.getpid()), **began})
        record.close_last_event()
        job.emit("limits", **limits, asked={name: value for name, value in asked.items() if value})
        _write_result(record, _task(job.kind, plan.get("tasks"))(job))
        ended = exit_document(start, "done", time.monotonic() - begin)
    except BaseException as problem:  # the outermost frame of the task: whatever it is becomes the job's error
        ended = _ended_by(problem, record, start, time.monotonic() - begin)
    _flush()
    record.write_exit(ended)
    return int(ended["code"]) and 1


def _surroundings(job: Job, record: Record) -> None:
    """Log, environment mark, signals and folder of the task."""
    log = os.open(record.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    faulthandler.enable()
    os.environ[processes.JOB_MARK] = job.id
    os.environ[processes.FOLDER_MARK] = str(record.folder)
    os.chdir(job.root)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a closed terminal or Ctrl-C elsewhere is not for the job
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: job.stop())


def _limit(limits: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Apply what the kernel holds by itself, and say which way each limit is held."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = {"memory": plan["memory"], "disk": "watcher" if limits.get("disk_mb") else "none"}
    held["processes"] = "watcher" if limits.get("processes") else "none"
    if plan.get("group"):
        (Path(plan["group"]) / "cgroup.procs").write_text(str(os.getpid()))
    held["cpu"] = _rlimit(resource.RLIMIT_CPU, limits.get("cpu_seconds"), spare=5)
    file_mb = limits.get("file_mb")
    held["file"] = _rlimit(resource.RLIMIT_FSIZE, file_mb and file_mb * MB)
    held["open_files"] = _rlimit(resource.RLIMIT_NOFILE, limits.get("open_files"))
    held["seconds"] = limits.get("seconds")
    return held


def _rlimit(which: int, value: int | None, spare: int = 0) -> str:
    if not value:
        return "none"
    hard = resource.getrlimit(which)[1]
    top = value + spare if hard == resource.RLIM_INFINITY else min(value + spare, hard)
    resource.setrlimit(which, (min(value, top), top))
    return "rlimit"


def _task(kind: str, extra: str | None) -> Any:
    """The task function of a kind; torch is already imported where the host forked from a warm process."""
    module = _extra(kind, extra) or _own(kind)
    if kind in TORCH_KINDS and not light(kind, extra):
        from gpu_jobs.training.warm import warm

        warm()
    return module.run


def light(kind: str, extra: str | None) -> bool:
    """Whether a further task of that kind says (`<kind>.light` beside it) that it needs nothing warm."""
    return extra is not None and Path(extra, f"{kind}.light").exists()


def _extra(kind: str, folder: str | None) -> ModuleType | None:
    path = Path(folder) / f"{kind}.py" if folder else None
    if path is None or not path.exists():
        return None
    spec = importlib.util.spec_from_file_location(f"extra_tasks.{kind}", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _own(kind: str) -> ModuleType:
    return importlib.import_module(f"gpu_jobs.tasks.{kind}")


def _write_result(record: Record, result: Any) -> None:
    if not isinstance(result, dict):
        raise TypeError(f"the task returned {type(result).__name__}, not a dict")
    write_bytes(record.folder / "result.json", json.dumps(result, allow_nan=False).encode())


def _ended_by(problem: BaseException, record: Record, start: int, seconds: float) -> dict[str, Any]:
    """The exit document for what a task raised; the host's reason for ending it comes first."""
    ending = record.ending(start)
    if not isinstance(problem, Cancelled):
        traceback.print_exception(problem)
    if ending:
        return exit_document(start, ending["state"], seconds, ending.get("error"))
    if isinstance(problem, Cancelled) and not record.control().get("cancel"):
        error = error_document("job.lost", "the job was told to stop by the system, not by us; it goes on when asked")
        return exit_document(start, "lost", seconds, error)
    if isinstance(problem, Cancelled):
        error = error_document("job.cancelled", str(problem) or f"job {record.id!r} was told to stop")
        return exit_document(start, "cancelled", seconds, error)
    return exit_document(start, "failed", seconds, error_of(problem))


def error_of(problem: BaseException) -> dict[str, Any]:
    """The error that an exception becomes: its own four attributes, a known lack of something, or a crash.

    Args:
        problem: What the task raised.

    Returns:
        `{"code", "message", "field", "fix"}`; the message is cut to 2,000 characters, the log has all of it.
    """
    if all(hasattr(problem, name) for name in ("code", "message", "field", "fix")):
        own: Any = problem
        return {"code": own.code, "message": str(own.message)[:2000], "field": own.field, "fix": own.fix}
    line = traceback.format_exception_only(problem)[-1].strip()[:2000]
    if isinstance(problem, MemoryError) or _torch_memory(problem):
        return error_document("job.memory", f"out of memory: {line}", "raise the limit or use a smaller batch")
    if isinstance(problem, OSError) and problem.errno in _LACKS:
        code, fix = _LACKS[problem.errno]
        return error_document(code, line, fix)
    if isinstance(problem, ModuleNotFoundError) and (problem.name or "").startswith("gpu_jobs.tasks."):
        known = sorted(path.stem for path in Path(__file__).parents[1].glob("tasks/[a-z]*.py"))
        message = f"no job kind {problem.name!r}; there are {', '.join(known)}"
        return error_document("job.unknown_kind", message)
    return error_document("job.crashed", line, "the job's log has the whole traceback")


_LACKS = {
    errno.ENOSPC: ("job.disk_full", "free some disk space, then resume the run"),
    errno.EDQUOT: ("job.disk_full", "free some of the disk quota, then resume the run"),
    errno.EFBIG: ("job.file_limit", "raise the limit on file size"),
    errno.EMFILE: ("job.open_files", "raise the limit on open files"),
}


def _torch_memory(problem: BaseException) -> bool:
    return type(problem).__name__ == "OutOfMemoryError" or (
        isinstance(problem, RuntimeError) and "can't allocate memory" in str(problem)
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
