"""RESULTS.md, one marked section per benchmark: a benchmark replaces its own and leaves the others."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(name: str, title: str, text: str, path: Path = RESULTS) -> None:
    """Put the text between this benchmark's marks; what others wrote stays."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n## {title}\n\n{text}\n{end}"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Benchmark results\n"
    if begin in old:
        head, _, rest = old.partition(begin)
        new = f"{head}{section}{rest.partition(end)[2]}"
    else:
        new = f"{old.rstrip()}\n\n{section}\n"
    path.write_text(new, encoding="utf-8")


def machine() -> str:
    """One line: date, processor, cores and load of this machine."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    today, load = datetime.now(UTC).date().isoformat(), os.getloadavg()[0]
    return f"{today}, {names[0] if names else platform.machine()}, {len(names)} cores, load {load:.1f} at the start."
