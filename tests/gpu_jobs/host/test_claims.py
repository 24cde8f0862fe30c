"""A start of a job is taken once, also by a process that comes when the start is over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHILD = """
import sys
from pathlib import Path
from gpu_jobs.host.child import be_child
be_child(Path(sys.argv[1]), "noop-1", 1, {"memory": "none", "group": None, "tasks": None})
"""


def test_a_start_that_is_over_is_not_taken_again_by_a_process_that_comes_late(tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "noop-1"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"id": "noop-1", "kind": "noop", "run": "r-1", "args": {}, "start": 1}))
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-P", "-c", CHILD, tmp_path], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
    told = [json.loads(line)["type"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert told.count("limits") == 1
    assert json.loads((folder / "exit").read_text())["state"] == "done"
