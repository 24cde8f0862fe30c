"""What tells how a published model is started and watched, as things stand: DEPLOYMENT.md and the Prometheus files.

They name the address of the deployment, so they are written when the model is published and again when it is served.
"""

from __future__ import annotations

from pathlib import Path

from agents.decisions import DeploymentPlan
from phases.active_run import ActiveRun
from phases.supervisor import records
from phases.workspace import read_json, sha256, write_text
from templates import render
from templates.deployment_md.context import DeploymentMdContext
from templates.monitoring.context import MonitoringContext

MODEL_FILES = ("model.onnx", "preprocessing.json", "weights.safetensors")


async def write_guides(active: ActiveRun, plan: DeploymentPlan) -> None:
    """`docs/DEPLOYMENT.md` and `monitoring/`, with the address where the version is served now, if it is."""
    await active.in_thread(write, active.root, active.settings.home, plan)


def write(root: Path, home: Path, plan: DeploymentPlan) -> None:
    """The same, for the run in `root` and the deployments of the state folder `home`."""
    url, previous = _standing(home, root.name, plan)
    stored = read_json(root / "tests" / "validation_rows.json")
    guide = DeploymentMdContext(
        name=plan.name, version=plan.version, run=root.name, url=url, previous=previous,
        example=stored["rows"][0], answer={"predictions": stored["predictions"][:1]},
        files=tuple((f"models/{name}", sha256(root / "models" / name)) for name in MODEL_FILES),
    )  # fmt: skip
    watch = MonitoringContext(name=plan.name, run=root.name, url=url)
    write_text(root / "docs" / "DEPLOYMENT.md", render("deployment_md", guide))
    write_text(root / "monitoring" / "prometheus.yml", render("monitoring.prometheus.yml", watch))
    write_text(root / "monitoring" / "rules.yml", render("monitoring.rules.yml", watch))


def _standing(home: Path, run: str, plan: DeploymentPlan) -> tuple[str | None, str | None]:
    """Where this version is served and which one is kept to go back to; None and None while it is not served."""
    views = (record.view() for record in records.load(home))
    mine = {"name": plan.name, "run_id": run, "version": plan.version}
    view = next((view for view in views if view["url"] and mine.items() <= view.items()), None)
    return (view["url"], view["previous"]) if view else (None, None)
