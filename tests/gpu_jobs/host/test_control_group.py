"""A real control group, in a small Linux in user mode in which we may do as we like, holds a job's memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

INIT = Path(__file__).with_name("own_kernel.py")


@pytest.mark.needs("linux.uml")
@pytest.mark.parametrize("version", ["v2", "v1"])
def test_beyond_its_control_group_the_kernel_kills_the_job_and_it_is_said(version: str, tmp_path: Path) -> None:
    words = ["linux.uml", "mem=768M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={sys.executable}"]
    words += ["con=null", "con0=null,fd:1", "quiet", "--", "-P", str(INIT), version]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path, stdin=subprocess.DEVNULL)
    lines = [line for line in ran.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, ran.stdout[-3000:] + ran.stderr[-3000:]
    found = json.loads(lines[0].removeprefix("RESULT "))
    assert found["within"] == {"state": "done", "code": 0, "error": None, "held": "cgroup"}
    beyond = found["beyond"]
    assert (beyond["state"], beyond["code"], beyond["held"]) == ("failed", 137, "cgroup")
    assert beyond["error"]["code"] == "job.memory"
    assert beyond["error"]["message"] == "the kernel killed the job for want of memory of 64 MB"
    assert found["groups"] == []
