"""A base image from this Debian machine's own Python: for machines that reach no image registry.

    /usr/bin/python3 -P tests/containers/debian_base.py NAME:TAG

It lists the files of a small set of installed Debian packages and of all they depend on, and streams them into
`docker import`, with this machine's certificates. Nothing is downloaded. It stands in for `python:3.11-slim` in the
tests; it needs Debian, and nothing beyond the standard library.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

SYSTEM = ["base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "findutils", "grep", "sed", "tar"]
SYSTEM += ["gzip", "hostname", "libc-bin", "login", "passwd", "mawk", "perl-base", "ca-certificates", "openssl"]
ROOTS = [*SYSTEM, "python3", "python3-venv", "python3-pip", "libstdc++6", "libgomp1"]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
FOLDERS = ("/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/bin", "/sbin", "/lib", "/lib64")
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
EMPTY = {"tmp": 0o1777, "root": 0o700, "proc": 0o555, "sys": 0o555, "dev": 0o755, "run": 0o755, "var/tmp": 0o1777}
OURS = {"/usr/bin/python", "/etc/pip.conf", *(f"/{name}" for name in EMPTY)}
LEFT_OUT = re.compile(r"^/usr/share/(doc|man|locale|info|lintian|bug|zoneinfo)/|EXTERNALLY-MANAGED$|^/var/(cache|lib)/")
PIP = f"[global]\ncert = {CERTIFICATES}\ndisable-pip-version-check = true\nroot-user-action = ignore\n"
SETTINGS = f"ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin LANG=C.UTF-8 SSL_CERT_FILE={CERTIFICATES}"


def said(*command: str) -> list[str]:
    """The lines that a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def packages() -> list[str]:
    """The roots and what they depend on, as far as it is installed."""
    no = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    depends = said("apt-cache", "depends", "--installed", "--recurse", *no, *ROOTS)
    named = {line.split(":")[0] for line in depends if re.match(r"[a-z0-9]", line)} | {*ROOTS}
    states = [line.split("\t") for line in said("dpkg-query", "-W", "-f", "${Package}\t${Status}\n")]
    return sorted(named & {name for name, state in states if state.endswith("ok installed")})


def files() -> list[str]:
    """Absolute paths of everything in the image, folders before what is in them; /bin and /lib lead into /usr."""
    listed = {line for line in said("dpkg", "-L", *packages()) if line.startswith("/") and line != "/."}
    merged = {re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", path) for path in listed if not LEFT_OUT.search(path)}
    alternatives = {f"/etc/alternatives/{name}" for name in ("awk", "which", "pager")}
    return sorted(merged | {*FOLDERS, *ACCOUNTS, CERTIFICATES} | alternatives)


def write(tar: tarfile.TarFile) -> None:
    """The image's files into a stream."""
    for path in files():
        if path not in OURS and os.path.lexists(path):
            tar.add(path, path.lstrip("/"), recursive=False)
    python = tarfile.TarInfo("usr/bin/python")
    python.type, python.linkname = tarfile.SYMTYPE, "python3"
    tar.addfile(python)
    pip = tarfile.TarInfo("etc/pip.conf")
    pip.size = len(PIP)
    tar.addfile(pip, io.BytesIO(PIP.encode()))
    for name, mode in EMPTY.items():
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode = tarfile.DIRTYPE, mode
        tar.addfile(folder)


def main(tag: str) -> int:
    """Make the image; the exit code of `docker import`."""
    if not Path("/var/lib/dpkg/status").exists():
        sys.exit("this is not a Debian machine: give a base image of your own with --build-arg BASE=...")
    command = ["docker", "import", "-c", SETTINGS, "-c", 'CMD ["python3"]', "-", tag]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        with importing.stdin, tarfile.open(fileobj=importing.stdin, mode="w|") as tar:
            write(tar)
    return importing.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
