"""The rule of `DeploymentReview`: the ml-developer's look at a deployment plan. It plans nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.decisions.deployment_review import DeploymentReview
from agents.reasoners.rules.wording import one_line


def decide(context: Mapping[str, Any]) -> DeploymentReview:
    """Whether the plan fits what was validated and what clients send today.

    Args:
        context: `plan` (`name`, `version`, `keep_previous`), `inputs`: the model's input fields, `deployments` as
            for the plan, `failed`: names of blocking checks that failed, `override`: whether a person's word
            stands against them.

    Raises:
        KeyError: the context lacks one of these.
    """
    plan, inputs = context["plan"], set(context["inputs"])
    served = next((one for one in context["deployments"] if one["name"] == plan["name"]), None)
    objections = tuple([*_verdict(context), *(_beside(plan, served, inputs) if served else ())])
    agreed = "the model passed its gate" if not context["failed"] else "a person overrode the gate, on record"
    fits = f"clients of {served['version']} are served as its version says" if served else "no client depends on it yet"
    return DeploymentReview(
        reason=one_line(list(objections) or [agreed, fits]),
        evidence={"failed": list(context["failed"]), "served": served["version"] if served else None},
        approves=not objections,
        objections=objections,
    )


def _verdict(context: Mapping[str, Any]) -> Iterator[str]:
    if context["failed"] and not context["override"]:
        yield f"{', '.join(context['failed'])} failed and nobody overrode it"


def _beside(plan: Mapping[str, Any], served: Mapping[str, Any], inputs: set[str]) -> Iterator[str]:
    new, old = (tuple(int(part) for part in one["version"].split(".")) for one in (plan, served))
    if new <= old:
        yield f"version {plan['version']} does not follow {served['version']}, which is served"
    fields = served["example_request"]
    if fields is not None and set(fields) != inputs and new[0] <= old[0]:
        yield f"its inputs differ from those of {served['version']}, so its major version must be higher"
    if not plan["keep_previous"]:
        yield f"{served['version']} would not be kept to go back to"
