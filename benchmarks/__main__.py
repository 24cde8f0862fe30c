"""`python -P -m benchmarks`: every benchmark, one after another; each writes its own section of RESULTS.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

if __name__ == "__main__":
    for name in ("overhead", "hooks", "chat", "sandboxes", "training", "serving"):
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-P", "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False)
        if done.returncode:
            sys.exit(done.returncode)
