"""What a process inside bubblewrap's walls sees: mounts, network, environment. It starts nothing but one trial.

Open are: the sandbox's folder (read-write), the files that it is given, the Python environment, our job code and the
system's programs (all read-only), a private temporary folder, and where there is a GPU its devices. Everything else is
closed: other folders, the network but a loopback of its own, other processes, capabilities, user namespaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64")
ETC = ("alternatives", "group", "hosts", "ld.so.cache", "localtime", "nsswitch.conf", "passwd")  # a millisecond each
CPU = ("/sys/devices/system/cpu",)
PASSED = ("LANG", "LC_", "TZ", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "OMP_", "MKL_", "OPENBLAS_", "KMP_",
          "NUMEXPR_", "CUDA_", "NVIDIA_", "NCCL_", "GLOO_", "TORCH_", "PYTORCH_")  # fmt: skip
SECRET = ("TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL")
TEMPORARY_BYTES = 1 << 30  # of each private temporary folder: it is memory
SIGNALLED = 128
RUN = 'exec "$@"'  # by a shell, so that an absent program is code 127, as without walls
TRIAL_SECONDS = 20.0


@dataclass(frozen=True)
class Walls:
    """Walls around one folder.

    Attributes:
        root: The sandbox's folder, absolute.
        reads: Further files and folders that may be read, absolute; absent ones are left out.
        lock: File that whoever enters holds; inside it is only read.
    """

    root: str
    reads: tuple[str, ...]
    lock: str

    def command(self, options: Sequence[str], argv: Sequence[str], cwd: str | None = None) -> list[str]:
        """The command line that runs `argv` inside.

        Args:
            options: Which namespaces to make or to join.
            argv: Program and arguments.
            cwd: Folder, absolute; the root by default.
        """
        mounts = [*_system(), *_devices(), *_temporary(), *_read_only((*_python(), *self.reads, self.lock))]
        own = ["--bind", self.root, self.root, "--chdir", cwd or self.root, "--cap-drop", "ALL", "--new-session"]
        return [program(), *options, *mounts, *own, "--", "sh", "-c", RUN, "sh", *argv]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of a process inside: what numbers depend on, and what it is given; no secret."""
        kept = {name: value for name, value in os.environ.items() if _passes(name)}
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        temporary = tempfile.gettempdir()
        return {**kept, "PATH": path, "HOME": temporary, "TMPDIR": temporary, **given}


def program() -> str:
    """Where bubblewrap is, or its plain name where it is absent."""
    return shutil.which("bwrap") or "bwrap"


@cache
def why_not() -> str | None:
    """None where bubblewrap works here, else one sentence that says what is missing; tried once per process."""
    if sys.platform != "linux":
        return "bubblewrap is for Linux"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    trial = [program(), "--unshare-all", "--disable-userns", "--unshare-user", "--ro-bind", "/", "/"]
    trial += ["--proc", "/proc", "--dev", "/dev", "--cap-drop", "ALL", "--", "sh", "-c", "command -v flock"]
    try:
        done = subprocess.run(trial, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"bubblewrap does not run here: {problem}"
    if done.returncode:
        told = done.stderr.strip().splitlines()
        return f"bubblewrap may not make its walls here: {told[-1] if told else 'flock is not installed'}"
    return None


@cache
def version() -> str:
    """What bubblewrap calls itself."""
    done = subprocess.run([program(), "--version"], capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False)
    return done.stdout.strip()


def as_code(status: int) -> int:
    """Exit code of a command inside; bubblewrap tells a signal as 128 + its number, as shells do."""
    signal = status - SIGNALLED
    return -signal if 0 < signal <= 64 else status


def _passes(name: str) -> bool:
    return name.startswith(PASSED) and not any(word in name.upper() for word in SECRET)


def _system() -> list[str]:
    found = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM:
        folder = Path("/") / name
        if folder.is_symlink():
            found += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            found += ["--ro-bind", str(folder), str(folder)]
    found += _read_only(f"/etc/{name}" for name in ETC)
    return [*found, "--proc", "/proc"]


def _devices() -> list[str]:
    gpus = sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    seen = ["/sys"] if gpus else CPU
    binds = [word for path in gpus for word in ("--dev-bind-try", path, path)]
    shared = ["--size", str(TEMPORARY_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108 - made anew inside
    return ["--dev", "/dev", *shared, *binds, *_read_only(seen)]


def _temporary() -> list[str]:
    folders = dict.fromkeys(("/tmp", tempfile.gettempdir()))  # noqa: S108 - made anew inside
    return [word for folder in folders for word in ("--size", str(TEMPORARY_BYTES), "--tmpfs", folder)]


@cache
def _python() -> tuple[str, ...]:
    """The environment, the interpreter that it stands on, and our job code where that is not in it."""
    prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    code = str(Path(__file__).resolve().parents[1])
    every = dict.fromkeys([*prefixes, *map(os.path.realpath, prefixes), code])
    return tuple(path for path in every if not Path(path).is_relative_to("/usr"))


def _read_only(paths: Iterable[str]) -> list[str]:
    return [word for path in paths for word in ("--ro-bind-try", path, path)]
