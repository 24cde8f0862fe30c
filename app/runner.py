"""Entry of the runner process (`python -P -m app.runner FILE`): its lock, its settings, and the runner's loop.

The lock is taken before anything heavy is imported, so that of several doors that start a runner one wins at once.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from phases.lock import only_one


def main(argv: list[str]) -> None:
    """Be the runner of the state folder that holds the settings file `argv[0]`, if nobody else is."""
    path = Path(argv[0])
    again = True
    while again:
        with only_one(path.parent / "runner.lock", patience=1.0) as mine:
            if not mine:
                return
            stopped = _serve(path)
        again = not stopped and _work_left(path)


def _serve(path: Path) -> bool:
    """Serve until idle or told to stop; True when told."""
    from agents.reasoners.rules.reasoner import RulesReasoner
    from phases.runner import main as serve
    from phases.settings import RunnerSettings

    settings = RunnerSettings.model_validate_json(path.read_text(encoding="utf-8"))
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return asyncio.run(serve(settings, RulesReasoner()))


def _work_left(path: Path) -> bool:
    from phases.runner import work_left
    from phases.settings import RunnerSettings

    return asyncio.run(work_left(RunnerSettings.model_validate_json(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(sys.argv[1:])
