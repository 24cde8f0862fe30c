"""Champion against challenger: which deployed model a retrained one is held against, and the check that decides.

Both predict in the one test job, on the challenger's test rows less those the champion has seen.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from phases.active_run import ActiveRun
from phases.gates import Check, fact, number
from phases.workspace import read_json

FEWEST_ROWS = 100


def champion_args(active: ActiveRun) -> dict[str, Any] | None:
    """Where the champion's model and the rows it has seen are, or None when this run challenges nobody."""
    retrain = active.request.retrain
    if retrain is None:
        return None
    root = Path(retrain["folder"])
    return {"models": str(root / "attempts" / str(retrain["attempt"]) / "models"), "run": str(root)}


def schema_difference(active: ActiveRun) -> str:
    """How the table differs from the champion's: columns gone, new, of another type; empty where it does not."""
    if active.request.retrain is None:
        return ""
    before, after = _types(Path(active.request.retrain["folder"])), _types(active.root)
    if before is None or after is None:
        return ""
    changed = [f"{n!r} ({kind}, now {after[n]})" for n, kind in before.items() if after.get(n, kind) != kind]
    told = {
        "gone": [repr(name) for name in before if name not in after],
        "new": [repr(name) for name in after if name not in before],
        "of another type": changed,
    }
    return "; ".join(f"columns {what}: {', '.join(names)}" for what, names in told.items() if names)


def schema_words(active: ActiveRun) -> str:
    """The difference as the end of a question, or nothing."""
    told = schema_difference(active)
    return f" The data differ from the deployed model's: {told}." if told else ""


def _types(root: Path) -> dict[str, str] | None:
    """Type of each column as a run's snapshot found it; None when its files are gone."""
    with suppress(FileNotFoundError):
        return {one["name"]: one["type"] for one in read_json(root / "jobs" / "snapshot" / "result.json")["columns"]}
    return None


async def schema_checks(active: ActiveRun) -> list[Check]:
    """The gate row, and the event, that tell whoever retrains how the tables differ; absent where they do not."""
    told = schema_difference(active)
    if not told:
        return []
    await active.emit("note", "schema", message=f"the data differ from the deployed model's: {told}")
    return [fact("columns_of_deployed_model", told, "the same", blocking=False, why="against its training table")]


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
    new = "1 test row is" if rows == 1 else f"{rows} test rows are"
    reason = f"only {new} new to the deployed model" if difference else "nothing to compare on"
    if active.request.yes and active.request.terms.policy.yes_counts:
        return [fact("swap_agreed", True, why=f"{reason}; --yes agreed to the swap without a comparison")]
    answer: dict[str, Any] = {}
    if active.ask is not None:
        text = f"{reason.capitalize()}: too few to compare. Swap it all the same?{schema_words(active)}"
        answer = active.ask({"kind": "champion", "text": text, "proposal": "no", "reason": f"under {FEWEST_ROWS} rows"})
    agreed = bool(answer.get("approve"))
    told = "a person agreed to the swap" if agreed else "a person kept the deployed model"
    return [fact("swap_agreed", agreed, why=f"{reason}; {told}: {answer.get('why') or 'no reason given'}")]
