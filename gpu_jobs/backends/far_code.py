"""What is sent to a far machine, named by the hash of its content: our code, and the libraries that it stands on."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
SENT = ("gpu_jobs/**/*.py", "memory/__init__.py", "memory/errors.py")
LIBRARIES = (
    "charset-normalizer", "fastapi", "httptools", "matplotlib", "numpy", "onnx", "onnxruntime", "orjson", "polars",
    "prometheus-client", "psutil", "pydantic", "safetensors", "scikit-learn", "threadpoolctl", "torch", "uvicorn",
)  # fmt: skip
PYTHONS = ((3, 11), (3, 12))


@cache
def packed_code() -> tuple[str, bytes]:
    """Name (`code-<hash>`) and zip file of the code that a job host imports."""
    paths = sorted(path for pattern in SENT for path in HERE.glob(pattern))
    digest, packed = hashlib.sha256(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            name, content = path.relative_to(HERE).as_posix(), path.read_bytes()
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
            archive.writestr(name, content)
    return f"code-{digest.hexdigest()[:16]}", packed.getvalue()


def versions() -> dict[str, str]:
    """The libraries' versions here, without what tells one build from another (`2.8.0+cpu` is `2.8.0`)."""
    return {name: metadata.version(name).partition("+")[0] for name in LIBRARIES}


def requirements(wanted: dict[str, str]) -> tuple[str, bytes]:
    """Name (`env-<hash>`) and requirements file of an environment with these versions.

    Example:
        >>> requirements({"numpy": "2.2.0"})[1].split()
        [b'numpy==2.2.0']
    """
    text = "".join(f"{name}=={version}\n" for name, version in sorted(wanted.items())).encode()
    return f"env-{hashlib.sha256(text).hexdigest()[:16]}", text


def pythons() -> tuple[str, ...]:
    """Interpreters to look for where none is named: our own version first."""
    ours = f"python3.{sys.version_info.minor}"
    return tuple(dict.fromkeys((ours, *(f"python{major}.{minor}" for major, minor in PYTHONS), "python3")))
