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
            version that serves unless this one does, or None. No check at all is no evidence, and
            promotes nothing.

    Raises:
        KeyError: the context lacks one of these.
    """
    checks = list(context["checks"])
    failed = tuple(str(check["name"]) for check in checks if not check["passed"] and check["blocking"])
    promote = bool(checks) and not failed
    previous = context["previous"]
    stays = f"{previous} goes on serving" if previous else "nothing is served"
    why = f"{', '.join(failed)} failed" if failed else "nothing was checked"
    reason = f"all {len(checks)} roll-out checks held" if promote else f"{why}, so {stays}"
    return RolloutVerdict(
        reason=one_line([reason]),
        evidence={"checks": {str(check["name"]): bool(check["passed"]) for check in checks}},
        promote=promote,
        failed=failed,
    )
