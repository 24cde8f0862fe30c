"""The console script as a process: what it imports, how fast it is, what a terminal and its signals do to it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.app.fake_services import RUN

PROGRAM = Path(sys.executable).with_name("neuroloom")
ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "langgraph", "polars", "sklearn", "onnxruntime", "matplotlib", "fastapi")
FAKE = [sys.executable, "-P", "-W", "error", "-m", "tests.app.fake_services"]
PATIENCE = 90.0


def environment(tmp_path: Path, scenario: str = "deployed") -> dict[str, str]:
    mine = {
        "SCENARIO": scenario, "CALLS": str(tmp_path / "calls"), "NEUROLOOM_HOME": str(tmp_path / "s"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONPATH": str(ROOT),
        "TERM": "xterm", "COLUMNS": "120", "LINES": "40",
    }  # fmt: skip
    return {**os.environ, **mine}


def calls(tmp_path: Path) -> list[tuple[str, list[Any]]]:
    path = tmp_path / "calls"
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


class Terminal:
    """A process on a pseudo-terminal of its own."""

    def __init__(self, args: list[str], env: dict[str, str], cwd: Path) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(args[0], args, env)
        self.seen = ""
        self.code: int | None = None

    def read(self, timeout: float = 0.1) -> bool:
        """Take what is there; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.seen:
            going = self.read()
            assert words in self.seen or (going and time.monotonic() < deadline), f"{words!r} not in:\n{self.seen}"

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while self.read() and time.monotonic() < deadline:
            pass
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def hang_up(self) -> int:
        """Close the terminal, as a person who closes the window; the kernel sends SIGHUP."""
        os.close(self.fd)
        self.fd = -1
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code


@contextmanager
def terminal(tmp_path: Path, *args: str, scenario: str = "deployed") -> Iterator[Terminal]:
    one = Terminal([*FAKE, *args], environment(tmp_path, scenario), tmp_path)
    try:
        yield one
    finally:
        if one.code is None:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        if one.fd >= 0:
            os.close(one.fd)


def test_a_terminal_gets_the_live_view_and_the_summary(tmp_path: Path) -> None:
    with terminal(tmp_path, "run", "penguins.csv", "--target", "species") as one:
        assert one.end() == 0
        for words in ("configure", "✓", "▁", "accuracy", "ml-developer", "TaskPlan", "curl -s", "validation loss"):
            assert words in one.seen
        assert "\x1b[31m" not in one.seen.split("TaskPlan")[1].split("\n")[0]


def test_ctrl_c_in_run_cancels_cleanly(tmp_path: Path) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario="endless") as one:
        one.until("epoch 5")
        one.type("\x03")
        assert one.end() == 130
        assert "Traceback" not in one.seen
    assert [what for name, what in calls(tmp_path) if name == "cancel"] == [[RUN, False]]


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario="stubborn") as one:
        one.until("epoch 5")
        one.type("\x03")
        one.until("cancelling")
        one.type("\x03")
        assert one.end() == 130
        assert "Traceback" not in one.seen
    assert [what for name, what in calls(tmp_path) if name == "cancel"] == [[RUN, False], [RUN, True]]


def test_ctrl_c_in_watch_only_detaches(tmp_path: Path) -> None:
    with terminal(tmp_path, "watch", scenario="endless") as one:
        one.until("epoch 5")
        one.type("\x03")
        assert one.end() == 0
        assert f"neuroloom watch {RUN}" in one.seen
    assert not calls(tmp_path)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        Event().wait(0.02)


@pytest.mark.parametrize(
    ("args", "signals", "code", "error"),
    [
        (["watch"], [signal.SIGINT], 0, None),
        (["watch"], [signal.SIGTERM], 143, None),
        (["run", "penguins.csv"], [signal.SIGTERM], 143, None),
        (["run", "penguins.csv"], [signal.SIGINT, signal.SIGINT], 130, "run.cancelled"),
    ],
)
def test_whatever_ends_a_command_its_output_is_one_document_of_the_run(
    tmp_path: Path, args: list[str], signals: list[signal.Signals], code: int, error: str | None
) -> None:
    words = [*FAKE, *args, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(tmp_path, "stubborn"), cwd=tmp_path) as one:
        eventually((tmp_path / "calls.following").exists)
        for number in signals:
            one.send_signal(number)
            eventually(lambda: one.poll() is not None or len(calls(tmp_path)) > 1)
        out, _ = one.communicate(timeout=PATIENCE)
    document = json.loads(out)
    assert one.returncode == code
    assert (document["run_id"], (document["error"] or {}).get("code")) == (RUN, error)
    cancels = [what for name, what in calls(tmp_path) if name == "cancel"]
    assert cancels == ([[RUN, False], [RUN, True]] if error else [])


@pytest.mark.parametrize("scenario", ["endless", "target"])
def test_a_closed_terminal_never_cancels(tmp_path: Path, scenario: str) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario=scenario) as one:
        one.until("target [species]" if scenario == "target" else "epoch 5")
        one.hang_up()
    assert [name for name, _ in calls(tmp_path)] == ["start"]


@pytest.mark.parametrize(("typed", "target"), [("\r", "species"), ("nonsense\risland\r", "island")])
def test_on_a_terminal_a_missing_target_is_asked_for(tmp_path: Path, typed: str, target: str) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario="target") as one:
        one.until("target [species]")
        one.type(typed)
        assert one.end() == 0
    assert ["answer", [RUN, "q1", {"target": target}, "cli"]] in [list(call) for call in calls(tmp_path)]


def test_ctrl_c_at_the_question_cancels(tmp_path: Path) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario="target") as one:
        one.until("target [species]")
        one.type("\x03")
        assert one.end() == 130


def test_an_approval_left_open_on_a_terminal_exits_5(tmp_path: Path) -> None:
    with terminal(tmp_path, "run", "penguins.csv", scenario="approval") as one:
        one.until("yes or no")
        one.type("\r")
        assert one.end() == 5
    assert [name for name, _ in calls(tmp_path)] == ["start"]


@pytest.mark.parametrize(
    "args", [["--help"], ["run", "--help"], ["runs"], ["run", "penguins.csv"], ["config"], ["doctor"]]
)
def test_the_command_line_imports_no_heavy_library(tmp_path: Path, args: list[str]) -> None:
    code = (
        "import sys\nfrom tests.app import fake_services\ncode = fake_services.main()\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    (tmp_path / "penguins.csv").write_text("a\n1\n")
    command = [sys.executable, "-P", "-c", code, *args]
    done = subprocess.run(
        command, env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "heavy: []" in done.stderr


def test_the_real_wiring_imports_no_heavy_library(tmp_path: Path) -> None:
    modules = ["memory.store", "phases.services.runs", "phases.services.deployments", "phases.services.models",
               "phases.services.notes", "phases.services.steering", "phases.services.comparison",
               "phases.services.figures", "app.doors", "app.wiring", "phases.starting"]  # fmt: skip
    code = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_help_imports_nothing_but_click(tmp_path: Path) -> None:
    code = "import sys\nfrom app.cli import main\nmain(['--help'])\n"
    code += "print([n for n in ('rich', 'pydantic', 'redis', 'asyncio', 'numpy') if n in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_a_persons_own_modules_are_never_imported(tmp_path: Path) -> None:
    for name in ("memory", "agents", "phases", "app", "templates", "gpu_jobs", "json", "click"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a person\\'s own file was imported')\n")
    for args in (["--help"], ["config"], ["run", "--help"], ["doctor", "--json"]):
        done = subprocess.run(
            [str(PROGRAM), *args], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert "own file" not in done.stderr + done.stdout
        assert done.returncode in {0, 3}


def test_a_reader_that_leaves_early_causes_no_complaint(tmp_path: Path) -> None:
    command = f"{sys.executable} -P -m tests.app.fake_services run --help | head -1"
    done = subprocess.run(
        ["sh", "-c", command], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("Usage")
    assert done.stderr == ""
