"""`python -P -m gpu_jobs.host ROOT [--idle S] [--tasks FOLDER] [--cgroup FOLDER] [--stay]`: start a host.

It returns as soon as the host is on its own: claimed by lock, in its own session, its parent gone (`--stay`
keeps it in the foreground). With a host in the root already, it does nothing and is content.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from gpu_jobs.host import processes
from gpu_jobs.host.files import write_json
from gpu_jobs.host.loop import Host

USAGE = "usage: python -P -m gpu_jobs.host ROOT [--idle SECONDS] [--tasks FOLDER] [--cgroup FOLDER] [--stay]"
IDLE_SECONDS = 120.0


def main(arguments: list[str]) -> int:
    """Start the host; 0 when there is one now, 2 when the arguments or the root are unusable."""
    options = _options(arguments)
    if options is None:
        sys.stderr.write(USAGE + "\n")
        return 2
    root = Path(os.path.realpath(options["root"]))
    if not root.is_dir():
        sys.stderr.write(f"no folder {str(root)!r} to be the root of a sandbox\n")
        return 2
    jobs = root / "jobs"
    jobs.mkdir(exist_ok=True)
    lock = os.open(jobs / "host.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    if "stay" not in options and not _detach(jobs / "host.log"):
        os._exit(0)  # the middleman: no parent link is left for anybody to kill along
    _live(root, jobs, options)
    return 0


def _options(arguments: list[str]) -> dict[str, str] | None:
    """By hand, because argparse would be a tenth of the start."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--stay":
            options["stay"] = ""
        elif word in ("--idle", "--tasks", "--cgroup") and rest:
            options[word[2:]] = rest.pop(0)
        elif "root" not in options and not word.startswith("-"):
            options["root"] = word
        else:
            return None
    idle = options.get("idle", "1")
    return options if "root" in options and idle.replace(".", "", 1).isdigit() else None


def _detach(log: Path) -> bool:
    """Fork; True in the one that goes on, without terminal, pipes and session of who started it."""
    if os.fork():
        return False
    os.setsid()
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, written), (2, written)):
        os.dup2(source, target)
    os.close(written)
    os.close(nothing)
    return True


def _live(root: Path, jobs: Path, options: dict[str, str]) -> None:
    """Serve until idle; a job that comes while leaving is still taken."""
    os.chdir(root)
    host = Host(root, float(options.get("idle", IDLE_SECONDS)), options.get("tasks"), options.get("cgroup"))
    while jobs.is_dir():
        write_json(jobs / "host.json", processes.identity(os.getpid()))
        host.live()
        (jobs / "host.json").unlink(missing_ok=True)
        if not host.pending():
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
