"""Entry of the runner process (`python -P -m app.runner FILE`): its settings file, the rules, and the runner's loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from agents.reasoners.rules.reasoner import RulesReasoner
from phases.runner import main as serve
from phases.settings import RunnerSettings


def main(argv: list[str]) -> None:
    """Be the runner of the state folder that the settings in file `argv[0]` name."""
    settings = RunnerSettings.model_validate_json(Path(argv[0]).read_text(encoding="utf-8"))
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(settings, RulesReasoner()))


if __name__ == "__main__":
    main(sys.argv[1:])
