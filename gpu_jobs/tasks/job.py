"""What a task is given: its arguments, its folder, and the ways to report and to be told. It decides nothing.

A task is `gpu_jobs/tasks/<kind>.py` with `def run(job: Job) -> dict`. It is idempotent: run again with the
same id it goes on from what it left. This module stays light (standard library only): the host imports it.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

from gpu_jobs.host.files import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Cancelled(Exception):  # noqa: N818 - not a fault: the task did what it was told
    """Raised by a task at a safe point, after saving what it needs to go on: it was told to stop."""


class PathEscapeError(Exception):
    """A path leads out of the sandbox. It has the four attributes that become the job's error."""

    def __init__(self, relative: str) -> None:
        self.code = "job.path_escape"
        self.message = f"the path {relative!r} leads out of the sandbox"
        self.field: str | None = None
        self.fix = "give a path relative to the sandbox's root, without '..' and links that leave it"
        super().__init__(self.message)


class Job:
    """One start of one job, as its task sees it.

    Args:
        root: The sandbox's root; every path in the arguments is relative to it.
        spec: The object in `job.json`; `id` and `kind` must be there, the rest has defaults.

    Attributes:
        id: Name of the job, unique in the sandbox.
        kind: The task.
        run: The run that owns it.
        attempt: The attempt within the run, or None.
        args: The task's arguments.
        root: The sandbox's root, absolute.
        folder: The job's own folder, `jobs/<id>`.
        workers: Processes to train with.
        device: Device to use.
        seed: Seed of everything random.
        dataset_sha256: Hash of the data, for provenance.
        code_version: Version of the code, for provenance.

    Example:
        >>> import tempfile
        >>> job = Job(Path(tempfile.gettempdir()), {"id": "noop-1", "kind": "noop", "run": "r-1"})
        >>> job.folder.name, job.workers, job.stopping
        ('noop-1', 1, False)
    """

    def __init__(self, root: Path, spec: Mapping[str, Any]) -> None:
        self.id: str = spec["id"]
        self.kind: str = spec["kind"]
        self.run: str = spec.get("run", "")
        self.attempt: int | None = spec.get("attempt")
        self.args: dict[str, Any] = dict(spec.get("args") or {})
        self.root = Path(os.path.realpath(root))
        self.folder = self.root / "jobs" / self.id
        self.workers: int = spec.get("workers", 1)
        self.device: str = spec.get("device", "cpu")
        self.seed: int = spec.get("seed", 0)
        self.dataset_sha256: str = spec.get("dataset_sha256", "")
        self.code_version: str = spec.get("code_version", "")
        self._stop = False
        self._control: dict[str, Any] = {}
        self._control_seen: tuple[int, int] | None = None

    @property
    def stopping(self) -> bool:
        """True after SIGTERM or `{"cancel": true}`: save what is needed to go on, then raise `Cancelled`."""
        return self._stop or bool(self.control().get("cancel"))

    def stop(self) -> None:
        """Ask this job to stop at its next safe point; what SIGTERM does."""
        self._stop = True

    def check(self) -> None:
        """A safe point where nothing needs saving.

        Raises:
            Cancelled: The job was told to stop.
        """
        if self.stopping:
            raise Cancelled(f"job {self.id!r} was told to stop")

    def emit(self, type: str, **fields: Any) -> None:
        """Report one event: one line in `events.jsonl`, whole or not there.

        Raises:
            ValueError: A field is NaN or infinite.
            OSError: The disk is full.
        """
        line = json.dumps({"t": time.time(), "type": type, **fields}, allow_nan=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode() + b"\n")
        finally:
            os.close(handle)

    def control(self) -> dict[str, Any]:
        """What the job is told while it runs (`control.json`), `{}` when nothing. Cheap: ask every batch."""
        path = self.folder / "control.json"
        try:
            stat = path.stat()
        except OSError:
            return self._control
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._control_seen:
            self._control = read_json(path) or {}
            self._control_seen = seen
        return self._control

    def measure(
        self,
        value: float,
        unit: str,
        *,
        split: str | None = None,
        rows: int | None = None,
        interval: Sequence[float] | None = None,
    ) -> dict[str, Any]:
        """A measurement with this job's provenance, as the plain form of `memory.measurement.Measurement`.

        Args:
            value: The number measured.
            unit: `fraction`, `nats`, `ms`, `requests/s`, `MB`, `bytes`, `target`, `percent`, `rows/s`, `ratio` or `s`.
            split: The split that it was measured on.
            rows: How many rows it was measured on.
            interval: Lower and upper end of its 95 % interval, in the same unit.

        Raises:
            ValueError: The value or the interval is not finite: then there is no measurement, leave it out.
        """
        numbers = [float(value), *(float(end) for end in interval or ())]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"{numbers!r} in {unit!r} is not a measurement: not finite")
        provenance = {
            "kind": "measured",
            "run": self.run,
            "job": self.id,
            "dataset_sha256": self.dataset_sha256,
            "code_version": self.code_version,
            "device": self.device,
            "seed": self.seed,
            "load": os.getloadavg()[0],
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "split": split,
            "rows": rows,
        }
        ends = numbers[1:] or None
        return {"value": numbers[0], "unit": unit, "provenance": provenance, "interval": ends}

    def path(self, relative: str) -> Path:
        """A path inside the sandbox, made absolute.

        Raises:
            PathEscapeError: It leads out of the sandbox, by `..`, by being absolute or through a link.
        """
        full = Path(os.path.realpath(self.root / relative))
        if not full.is_relative_to(self.root):
            raise PathEscapeError(relative)
        return full
