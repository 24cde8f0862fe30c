"""The rule of `DeploymentPlan`: name, semantic version, what is kept to roll back to. It starts nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from agents.decisions.deployment_plan import DeploymentPlan
from agents.reasoners.rules.wording import one_line

LONGEST_NAME = 63


def decide(context: Mapping[str, Any]) -> DeploymentPlan:
    """Under which name and version a model is served.

    Args:
        context: `request` (`name`), `dataset` (`name`), `inputs`: names of the model's input fields,
            `deployments`: what is served now, `[{"name", "version", "previous", "example_request"}]`
            (the example's keys are its input fields), and `policy` (`ask_before_deploy`: whether a
            person must approve).

    Raises:
        KeyError: the context lacks one of these: a decision without it would look like one.
    """
    asked, inputs = context["request"]["name"], list(context["inputs"])
    name = str(asked or slug(str(context["dataset"]["name"])))
    served = next((one for one in context["deployments"] if one["name"] == name), None)
    version, why = _version(served, inputs)
    origin = "as asked (--name)" if asked else "named after the data"
    return DeploymentPlan(
        reason=one_line([f"{name} {version}", origin, why]),
        evidence={"served": served["version"] if served else None, "inputs": len(inputs)},
        name=name,
        version=version,
        keep_previous=served is not None,
        needs_approval=bool(context["policy"]["ask_before_deploy"]),
    )


def slug(text: str) -> str:
    """A deployment name from a dataset's name: `Kunden 2026 (neu).csv.gz` gives `kunden-2026-neu`."""
    stem = re.sub(r"(\.(csv|tsv|txt|json|jsonl|ndjson|parquet|gz|zst))+\Z", "", text.rpartition("/")[2].lower())
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_NAME].strip("-") or "model"


def _version(served: Mapping[str, Any] | None, inputs: list[str]) -> tuple[str, str]:
    known = (served["version"], served["previous"]) if served else ()
    versions = [_parts(version) for version in known if version]
    if served is None or not versions:
        return "1.0.0", "the first version"
    major, minor, _ = max(versions)
    fields = served["example_request"] or dict.fromkeys(inputs)
    if set(fields) != set(inputs):
        return f"{major + 1}.0.0", f"a new major version: its inputs differ from those of {served['version']}"
    return f"{major}.{minor + 1}.0", f"a new minor version: same inputs as {served['version']}"


def _parts(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch
