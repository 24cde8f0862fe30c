"""The policy of hooks: runs and the state folder are safe from a slip of an agent, everything else passes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from editors.payload import read
from editors.policy import object_to_command, object_to_file, objection
from editors.reach import _inside
from tests.editors import harmful, ordinary

RUN = "r-20261130-101112-abcd"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a run, and the person's own files beside it."""
    place = tmp_path / "work"
    for folder in (f"neural/{RUN}/checkpoints", f"neural/{RUN}/scripts", "neural/scripts", "src"):
        (place / folder).mkdir(parents=True)
    (place / "neural" / RUN / "checkpoints" / "1.pt").touch()
    (place / "neural" / "latest").symlink_to(RUN)
    (place / "link").symlink_to(place / "neural" / RUN)
    (tmp_path / "state").mkdir()
    return place


def verdict(command: str, workspace: Path) -> str | None:
    return object_to_command(command, workspace, workspace.parent / "state", workspace.parent)


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf neural",
        f"rm -rf neural/{RUN}",
        f"rm neural/{RUN}/checkpoints/1.pt",
        "rm -rf neural/latest/checkpoints",
        "rm -rf neural/r-*/checkpoints",
        "rm -rf *",
        "rm -rf .",
        "rm -rf ../work",
        "cd neural && rm -rf latest/",
        "cd src; rm -r ../neural/*",
        f"mv neural/{RUN} /tmp/away",
        f"mv model.onnx neural/{RUN}/models/model.onnx",
        f"cp weights.pt neural/{RUN}/checkpoints/1.pt 2>/dev/null",
        f"cp -t neural/{RUN}/checkpoints weights.pt",
        f"echo '{{}}' > neural/{RUN}/configs/training.json",
        "echo x >> neural/latest/reports/performance-report.md",
        "python train.py > neural/latest/log 2>&1",
        f"cat <<EOF > neural/{RUN}/Dockerfile\nFROM scratch\nEOF",
        "true | tee neural/latest/splits.json",
        f"sed -i s/0.8/0.9/ neural/{RUN}/reports/performance-report.md",
        f"dd if=/dev/zero of=neural/{RUN}/checkpoints/1.pt",
        f"truncate -s 0 neural/{RUN}/checkpoints/1.pt",
        f"chmod -R u+w neural/{RUN}",
        "find neural -type f -delete",
        f"find neural/{RUN} -name '*.pt' -exec rm {{}} +",
        "git clean -fdx",
        "git rm -r neural/latest",
        "rsync -a --delete empty/ neural/",
        "sudo -u root rm -rf neural/latest",
        "FOO=1 nice -n 10 timeout 5 rm -rf neural/latest",
        f"bash -c 'rm -rf neural/{RUN}'",
        f'sh -c "cd neural && bash -lc \\"rm -r {RUN}\\""',
        f"python3 -c \"import shutil; shutil.rmtree('neural/{RUN}')\"",
        f"ln -sfn other neural/latest && echo {RUN}",
        "rm -rf link/checkpoints",
        "# don't worry\nrm -rf neural/latest",
        "(rm -rf neural/latest)",
        "if true; then rm -rf neural/latest; fi",
        "rm -rf $PWD/neural",
        "rm -rf ~/work/neural",
        "rm -rf ${HOME}/state/redis",
        "rm -rf ../state",
        "rm -rf ~",
        "redis-cli -s ~/state/redis.sock FLUSHALL",
    ],
)
def test_a_command_that_would_change_a_run_or_the_state_is_refused_with_a_way_on(command: str, workspace: Path) -> None:
    reason = verdict(command, workspace)
    assert reason is not None and "`neuroloom" in reason


@pytest.mark.parametrize(
    "command",
    [
        "ls -la neural/latest",
        f"cat neural/{RUN}/reports/performance-report.md",
        f"cp -r neural/{RUN}/scripts neural/scripts/mine",
        f"cp neural/{RUN}/scripts/train.py .",
        "mv notes.md neural/",
        "mv notes.md .",
        "rm notes.md neural/scripts/old.py",
        "rm -rf src build",
        "rm *.pyc",
        "echo hello > neural/configs/training.json",
        "mkdir -p neural/{models,configs,scripts,tests}",
        "cat > neural/scripts/train.py <<'EOF'\nshutil.rmtree('neural/latest')\nEOF",
        "python neural/latest/scripts/train.py --epochs 3 > out.log 2>&1",
        "bash neural/latest/scripts/deploy.sh",
        "find . -name '*.pyc' -delete",
        "find neural -name '*.json'",
        "grep -rn accuracy neural < input 2> errors",
        "git clean -n",
        "git add -A && git commit -m 'rm -rf neural'",
        f"neuroloom rm {RUN} --yes",
        "echo 'rm -rf neural/latest'",
        "sed s/a/b/ neural/latest/configs/training.json",
        "touch neural",
        "echo 'unclosed",
        "",
        "cp model.onnx ~",
    ],
)
def test_everything_else_passes_without_a_word(command: str, workspace: Path) -> None:
    assert verdict(command, workspace) is None


def test_no_form_of_a_command_that_takes_a_run_or_the_state_along_gets_through(workspace: Path) -> None:
    assert [command for command in harmful.COMMANDS if verdict(command, workspace) is None] == []


def test_no_ordinary_command_is_refused(workspace: Path) -> None:
    (workspace / "neural" / RUN / "scripts" / "__pycache__").mkdir()
    assert len(ordinary.COMMANDS) > 100
    assert {command: why for command in ordinary.COMMANDS if (why := verdict(command, workspace))} == {}


def test_without_a_run_there_is_nothing_to_protect(workspace: Path) -> None:
    for name in ("latest", RUN):
        (workspace / "neural" / name).rename(workspace / f"away-{name}")
    assert verdict("rm -rf neural", workspace) is None
    assert verdict("find neural | xargs rm -rf", workspace) is None


def test_wild_cards_are_followed_only_where_they_can_reach_something_that_is_held(workspace: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from editors.policy import object_to_command\n"
        "looked = []; place = Path(sys.argv[1])\n"
        "sys.addaudithook(lambda event, about: looked.append(about[0]) if event == 'os.scandir' else None)\n"
        "for pattern in ('/usr/*/*/*/*/*/nothing', '/*/*/*/*/nothing', '/proc/*/*/*/*', 'src/*/*/*/*'):\n"
        "    assert object_to_command('rm -rf ' + pattern, place, place.parent / 'state', place.parent) is None\n"
        "assert object_to_command('rm -rf n*/*', place, place.parent / 'state', place.parent)\n"
        "print(len(looked))"
    )
    command = [sys.executable, "-P", "-c", code, str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < 100


def test_a_run_too_large_to_look_through_in_time_counts_as_reached(workspace: Path) -> None:
    held = workspace / "neural" / RUN
    assert list(_inside(held, ("*", "*.none"), time.monotonic() + 60)) == []
    assert list(_inside(held, ("*", "*.none"), time.monotonic() - 1)) == [held / "*" / "*.none"]


@pytest.mark.parametrize(
    "line",
    [
        "x=aaaa; " + "x=$x$x; " * 60 + "rm $x",
        'a="1 2"; ' + "for a in $a $a $a; do :; done; " * 30 + "rm $a",
        "rm " + "{a,b}" * 40,
        "echo " + "$(" * 300 + ")" * 300,
        "eval " * 200 + "rm x",
        "cat <<A\n" * 2000,
        "(" * 5000,
    ],
)
def test_a_line_that_grows_without_bounds_is_followed_only_so_far(line: str, workspace: Path) -> None:
    assert verdict(line, workspace) is None
    assert verdict(f"rm -rf neural\n{line}", workspace)


PIECES = [
    "rm",
    " ",
    "-rf",
    "neural",
    "$(",
    ")",
    "`",
    '"',
    "'",
    "{",
    "}",
    ",",
    "${",
    "$x",
    "x=",
    "|",
    "xargs",
    "<<EOF\n",
]
PIECES += [
    "EOF\n",
    ";",
    "(",
    "for d in ",
    "do ",
    "find ",
    "git ",
    "-C",
    "clean",
    "*",
    "/",
    "~",
    "\\",
    "\n",
    "sh -c ",
    ">",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=30).map("".join))
def test_whatever_a_line_says_it_gets_an_answer(workspace: Path, line: str) -> None:
    found = verdict(line, workspace)
    assert found is None or "`neuroloom" in found


@pytest.mark.parametrize(
    ("tool", "about", "refused"),
    [
        ("Write", {"file_path": f"neural/{RUN}/configs/training.json", "content": "{}"}, True),
        ("Edit", {"file_path": "neural/latest/scripts/serve.py", "old_string": "a", "new_string": "b"}, True),
        ("NotebookEdit", {"notebook_path": "neural/latest/a.ipynb"}, True),
        ("editFiles", {"files": ["src/a.py", f"neural/{RUN}/x"]}, True),
        ("replace_string_in_file", {"filePath": f"neural/{RUN}/x"}, True),
        ("apply_patch", {"input": f"*** Begin Patch\n*** Delete File: neural/{RUN}/x\n*** End Patch"}, True),
        ("Delete", {"path": "neural"}, True),
        ("mcp__filesystem__write_file", {"path": "../state/runner.json"}, True),
        ("Read", {"file_path": f"neural/{RUN}/configs/training.json"}, False),
        ("Grep", {"path": "neural/latest", "pattern": "x"}, False),
        ("Write", {"file_path": "neural/scripts/train.py", "content": f"neural/{RUN}"}, False),
        ("Write", {"file_path": 7}, False),
    ],
)
def test_tools_that_write_are_kept_out_and_tools_that_read_are_not(
    tool: str, about: dict[str, Any], refused: bool, workspace: Path
) -> None:
    text = json.dumps({"hook_event_name": "PreToolUse", "cwd": str(workspace), "tool_name": tool, "tool_input": about})
    reason = objection(read(text, "PreToolUse"), workspace.parent / "state", workspace.parent)
    assert (reason is not None) == refused


def test_a_file_in_a_run_is_refused_by_any_name_that_leads_there(workspace: Path) -> None:
    state = workspace.parent / "state"
    assert object_to_file(workspace / "link" / "x", state)
    assert object_to_file(workspace / "src" / ".." / "neural" / "latest" / "x", state)
    assert object_to_file(Path(f"{workspace}/neural/./{RUN}//x"), state)
    assert object_to_file(workspace / "neural" / "configs" / "x", state) is None
