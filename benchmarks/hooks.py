"""How long an editor waits for a hook: a whole process, from its start to its answer. Nothing here measures a model.

    python -P -m benchmarks.hooks

Each event is answered by `neuroloom hook` in a workspace with a run that was told of, beside a Python that does
nothing. The order is shuffled, so that a busy moment falls on all of them alike.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.results import machine, write_section
from phases.notices import leave_notice

NEUROLOOM = Path(sys.executable).with_name("neuroloom")
RUN = "r-20261130-101112-abcd"
ROUNDS = 40
LIMIT_MS = 300
EVENTS: dict[str, dict[str, object]] = {
    "SessionStart": {"source": "startup"},
    "UserPromptSubmit": {"prompt": "how is it going?"},
    "PreToolUse": {"tool_name": "Bash", "tool_input": {"command": f"cd src && rm -rf build && ls ../neural/{RUN}"}},
    "PostToolUse": {"tool_name": "Write", "tool_input": {"file_path": "neural/configs/training.json"}},
    "Stop": {"stop_hook_active": False},
    "SessionEnd": {"reason": "clear"},
}


def timed(command: list[str], text: str, home: Path) -> tuple[float, float]:
    """Milliseconds of one process: by the clock, and of processor time."""
    environment = {"NEUROLOOM_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False)
    spent = (time.perf_counter() - began) * 1000
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return spent, (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def workspace(folder: Path) -> Path:
    """A workspace with a run, as its runner leaves it."""
    place = folder / "work"
    for name in (f"neural/{RUN}/checkpoints", "neural/configs", "src/build"):
        (place / name).mkdir(parents=True)
    (place / "neural/configs/training.json").write_text("{}")
    (place / "neural/latest").symlink_to(RUN)
    state = {
        "state": "running",
        "updated_at": "2026-11-30T10:11:12.000+00:00",
        "workspace": str(place / "neural" / RUN),
    }
    leave_notice(folder / "state", RUN, state)
    return place


def measure() -> dict[str, list[tuple[float, float]]]:
    """What `timed` says, by event, the bare Python among them."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ("python -c pass", *EVENTS)}
    with tempfile.TemporaryDirectory(prefix="nl-bench-") as folder:
        place = workspace(Path(folder))
        for _ in range(ROUNDS):
            for name in random.sample(list(spent), len(spent)):
                payload = {"session_id": "s-1", "cwd": str(place), "hook_event_name": name, **EVENTS.get(name, {})}
                bare = [sys.executable, "-P", "-c", "pass"]
                command = [str(NEUROLOOM), "hook", name] if name in EVENTS else bare
                spent[name].append(timed(command, json.dumps(payload), Path(folder) / "state"))
    return spent


def main() -> None:
    """Measure and write the section."""
    about = machine()
    rows = []
    for name, found in measure().items():
        clock, processor = ([one[which] for one in found] for which in (0, 1))
        rows.append((name, median(clock), quantiles(clock, n=20)[18], max(clock), median(processor)))
    lines = [f"| {name} | {' | '.join(f'{one:.0f}' for one in numbers)} |" for name, *numbers in rows]
    worst = max(high for name, _, high, _, _ in rows if name in EVENTS)
    verdict = "within" if worst <= LIMIT_MS else "beyond"
    text = "\n".join(
        [
            f"{about} Whole processes, {ROUNDS} of each, milliseconds.",
            "",
            "| event | p50 | p95 | most | processor p50 |",
            "| --- | ---: | ---: | ---: | ---: |",
            *lines,
            "",
            f"The slowest event's p95 is {worst:.0f} ms, {verdict} the limit of {LIMIT_MS} ms.",
        ]
    )
    write_section("hooks", "Hooks of editors", text)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
