"""Champion against challenger: which deployed model a retrained one is held against, and the check that decides.

Both predict in the one test job, on the challenger's test rows less those the champion has seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phases.active_run import ActiveRun, RunCancelled
from phases.gates import Check, number

FEWEST_ROWS = 100


def champion_args(active: ActiveRun) -> dict[str, Any] | None:
    """Where the champion's model and the rows it has seen are, or None when this run challenges nobody."""
    retrain = active.request.retrain
    if retrain is None:
        return None
    root = Path(retrain["folder"])
    return {"models": str(root / "attempts" / str(retrain["attempt"]) / "models"), "run": str(root)}


def champion_checks(active: ActiveRun, test: dict[str, Any]) -> list[Check]:
    """The gate row of a retrained model: better than the champion on rows neither has seen.

    With fewer than 100 such rows a person is asked; the answer takes the place of the check.

    Raises:
        RunCancelled: the person keeps the champion.
    """
    found = test.get("champion")
    if not found:
        return []
    if found["rows"] >= FEWEST_ROWS:
        why = f"challenger minus champion on {found['rows']} rows that the champion has not seen"
        return [number("better_than_champion", found["difference"], ">", 0.0, why=why)]
    if active.ask is not None and not active.request.yes:
        text = (
            f"Only {found['rows']} test rows are new to the deployed model: too few to compare. Swap it all the same?"
        )
        answer = active.ask({"kind": "champion", "text": text, "proposal": "no", "reason": f"under {FEWEST_ROWS} rows"})
        if not answer.get("approve"):
            active.cancelling = True
            raise RunCancelled("the deployed model stays: too few new rows to compare, and a person said so")
    return []
