"""`make again`: runs the tests that failed once more, alone, and says which of them passed only alone.

It judges by what the run before left in `.pytest_cache`: its exit code, written by `make`, and pytest's own list of
failed tests. It tries nothing again but a handful of failed tests: no lint, no types, no broken collection.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CACHE = Path(".pytest_cache")
EXIT, ALONE = CACHE / "exit", CACHE / "passed-alone"
FAILED = CACHE / "v" / "cache" / "lastfailed"
SOME_FAILED = 1  # pytest's exit code; 2 and above: interrupted, an error of its own, of usage, or nothing collected
MOST = 8
COMMAND = ("-m", "pytest", "--last-failed", "--last-failed-no-failures", "none", "-n", "0")


def main() -> int:
    """Run them again if that is allowed; 0 when all of them pass now."""
    ALONE.unlink(missing_ok=True)
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if why := _refusal(failed):
        sys.stdout.write(f"again: nothing is tried again: {why}\n")
        return 1
    sys.stdout.write(f"again: {_tests(failed)} failed; they run once more, alone, in one process:\n{_lines(failed)}")
    sys.stdout.flush()
    ran = subprocess.run([sys.executable, "-P", *COMMAND], check=False)
    if ran.returncode:
        sys.stdout.write(f"again: pytest ended with {ran.returncode} once more\n")
        return 1
    told = f"PASSED ONLY ALONE: {_tests(failed)} failed among the others and passed when nothing else ran\n"
    ALONE.write_text(told + _lines(failed))
    sys.stdout.write(ALONE.read_text())
    return 0


def _refusal(failed: list[str]) -> str | None:
    code = EXIT.read_text().strip() if EXIT.exists() else None
    if code is None:
        return "the tests were not reached"
    if code != str(SOME_FAILED) or not failed:
        return f"pytest ended with {code} and {_tests(failed)} failed"
    if len(failed) > MOST:
        return f"{_tests(failed)} failed, more than the {MOST} that a busy machine may excuse"
    return None


def _tests(failed: list[str]) -> str:
    return f"{len(failed)} test{'' if len(failed) == 1 else 's'}"


def _lines(names: list[str]) -> str:
    return "".join(f"  {name}\n" for name in names)


if __name__ == "__main__":
    sys.exit(main())
