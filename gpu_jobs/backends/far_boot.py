"""Sent as text to a far machine and run by its own Python: finds or makes the code and the environment there.

`look ROOT CODE ENV PACKAGES`, `code ROOT CODE` (a zip file on standard input), `env ROOT ENV` (requirements there). It
uses the standard library alone and says what it found as one line of JSON. It starts no job.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

WHOLE = ".whole"


def main(arguments: list[str]) -> int:
    """Do one of the three; 1 when it cannot be done, told on standard error."""
    what, given, *names = arguments
    root = Path(given).expanduser().resolve()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if what == "look":
        sys.stdout.write(json.dumps(_look(root, names)) + "\n")
        return 0
    with (root / ".making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _code(root / names[0]) if what == "code" else _environment(root / names[0])


def _look(root: Path, names: list[str]) -> dict[str, object]:
    code, environment, packages = names
    return {
        "root": str(root),
        "version": list(sys.version_info[:2]),
        "code": (root / code / WHOLE).exists(),
        "environment": (root / environment / WHOLE).exists(),
        "packages": {name: _version(name) for name in packages.split(",") if name},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _code(folder: Path) -> int:
    packed = sys.stdin.buffer.read()
    if not (folder / WHOLE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(folder)
        (folder / WHOLE).touch()
    return 0


def _environment(folder: Path) -> int:
    """A virtual environment with exactly the packages asked for; what it prints goes to standard error."""
    wanted = sys.stdin.buffer.read()
    if (folder / WHOLE).exists():
        return 0
    venv.create(folder, with_pip=True, clear=True)
    (folder / "requirements.txt").write_bytes(wanted)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", str(folder / "requirements.txt")], stdout=2, check=False, env=os.environ)
    if done.returncode == 0:
        (folder / WHOLE).touch()
    return done.returncode and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
