"""The rule of `RolloutVerdict`: a version takes the traffic only when every blocking roll-out check held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.decisions.rollout_verdict import RolloutVerdict
from agents.reasoners.rules.wording import one_line


def decide(context: Mapping[str, Any]) -> RolloutVerdict:
    """Promote or keep the previous version.

    Args:
        context: `checks`: judged roll-out checks, `[{"name", "passed", "blocking"}]`; `previous`: the
            version that serves now, or None. No check at all is no evidence, and promotes nothing.
    """
    checks = list(context.get("checks") or ())
    failed = tuple(str(check["name"]) for check in checks if not check["passed"] and check.get("blocking", True))
    promote = bool(checks) and not failed
    previous = context.get("previous")
    stays = f"{previous} goes on serving" if previous else "nothing is served"
    why = f"{', '.join(failed)} failed" if failed else "nothing was checked"
    reason = f"all {len(checks)} roll-out checks held" if promote else f"{why}, so {stays}"
    return RolloutVerdict(
        reason=one_line([reason]),
        evidence={"checks": {str(check["name"]): bool(check["passed"]) for check in checks}},
        promote=promote,
        failed=failed,
    )
