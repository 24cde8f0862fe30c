"""The five phases in order: this tuple is the table of contents of a run. It holds names; the graph resolves them."""

from __future__ import annotations

from typing import NamedTuple


class Phase(NamedTuple):
    """One row: the phase, the agents that act in it, and the memory key its gate is written to."""

    name: str
    number: int
    agents: tuple[str, ...]
    module: str
    does: str

    @property
    def complete_key(self) -> str:
        """Memory name of the phase's gate, `phaseN-complete`."""
        return f"phase{self.number}-complete"


PHASES = (
    Phase("setup", 1, ("neural-orchestrator",), "phases.setup", "check the machine, read the data, open the sandbox"),
    Phase("configure", 2, ("ml-developer", "neural-orchestrator"), "phases.configure", "plan, design, measure first"),
    Phase("train", 3, ("neural-orchestrator",), "phases.train", "train, checkpoint, recover, export"),
    Phase("validate", 4, ("ml-developer",), "phases.validate", "candidate check, one test job, report"),
    Phase("deploy", 5, ("cicd-engineer",), "phases.deploy", "publish, approve, swap, verify"),
)


def fresh_phases() -> list[dict[str, object]]:
    """The phase list of a run that has not begun, as it stands in the run's state."""
    return [
        {"name": row.name, "status": "pending", "started_at": None, "finished_at": None, "seconds": None}
        for row in PHASES
    ]
