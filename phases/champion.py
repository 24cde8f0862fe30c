"""Champion against challenger: which deployed model a retrained one is held against, and the check that decides.

Both predict in the one test job, on the challenger's test rows less those the champion has seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phases.active_run import ActiveRun
from phases.gates import Check, fact, number

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

    With fewer than 100 such rows, or a metric that is undefined on them, a person is asked; a yes takes the place of
    the comparison and is recorded as that, and without anybody to ask the champion stays.
    """
    found = test.get("champion")
    if not found:
        return []
    rows, difference = found["rows"], found["difference"]
    if rows >= FEWEST_ROWS and difference is not None:
        why = f"challenger minus champion on {rows} rows that the champion has not seen"
        return [number("better_than_champion", difference, ">", 0.0, why=why)]
    reason = f"only {rows} test rows are new to the deployed model" if difference else "nothing to compare on"
    if active.request.yes and active.request.terms.policy.yes_counts:
        return [fact("swap_agreed", True, why=f"{reason}; --yes agreed to the swap without a comparison")]
    answer: dict[str, Any] = {}
    if active.ask is not None:
        text = f"{reason.capitalize()}: too few to compare. Swap it all the same?"
        answer = active.ask({"kind": "champion", "text": text, "proposal": "no", "reason": f"under {FEWEST_ROWS} rows"})
    agreed = bool(answer.get("approve"))
    told = "a person agreed to the swap" if agreed else "a person kept the deployed model"
    return [fact("swap_agreed", agreed, why=f"{reason}; {told}: {answer.get('why') or 'no reason given'}")]
