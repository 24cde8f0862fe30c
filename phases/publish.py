"""A tested attempt made public in the workspace: links, card, metadata, Dockerfile, guides, and the proof they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.decisions import DeploymentPlan
from memory.measurement import Measurement
from phases.active_run import ActiveRun
from phases.clock import now
from phases.gates import Check, fact
from phases.guides import MODEL_FILES, write_guides
from phases.parsing import broken_links, problem
from phases.report import TASKS, baselines, gate_rows, library_versions, override_of
from phases.workspace import link, read_json, sha256, write_text
from templates import render
from templates.deploy_sh.context import DeployShContext
from templates.dockerfile.context import DockerfileContext
from templates.dockerignore.context import DockerignoreContext
from templates.metadata.context import MetadataContext
from templates.model_card.context import ModelCardContext
from templates.requirements.context import RequirementsContext
from templates.validation_py.context import ValidationPyContext

CONFIGS = ("architecture", "dataset", "training")
DOCUMENTS = ("models/MODEL_CARD.md", "docs/DEPLOYMENT.md", "reports/performance-report.md")
VERSIONS = ("torch", "onnx", "onnxruntime", "numpy", "scikit-learn")


async def publish(active: ActiveRun, attempt: int, plan: DeploymentPlan) -> dict[str, Any]:
    """Write everything of the published workspace; returns name, version, path and hash of the model."""
    results = await active.in_thread(read_json, active.root / "reports" / "results.json")
    failed = tuple(check for check in await gate_rows(active) if check.verdict == "failed")
    known = {**results, "rejected": failed, "override": await override_of(active) if failed else None}
    files = await active.in_thread(_publish, active, attempt, plan, known)
    await write_guides(active, plan)
    model = active.root / "models" / "model.onnx"
    return {"name": plan.name, "version": plan.version, "path": str(model), "sha256": files["model.onnx"]}


def _publish(active: ActiveRun, attempt: int, plan: DeploymentPlan, known: dict[str, Any]) -> dict[str, str]:
    root, folder = active.root, f"attempts/{attempt}"
    for name in MODEL_FILES:
        link(root, f"models/{name}", f"{folder}/models/{name}")
    first = root / "configs" / "training.json"
    if not first.is_symlink():
        first.unlink(missing_ok=True)  # setup's first configuration; memory keeps it under `config`
    for name in CONFIGS:
        link(root, f"configs/{name}.json", f"{folder}/configs/{name}.json")
    link(root, "scripts/serve.py", f"{folder}/scripts/serve.py")
    link(root, "scripts/rows", f"{folder}/scripts/rows")
    files = {name: sha256(root / "models" / name) for name in MODEL_FILES}
    dataset = read_json(root / folder / "configs" / "dataset.json")
    _write_model_pages(active, attempt, plan, {**known, "dataset": dataset, "files": files})
    _write_deployment(root, folder, plan)
    return files


def _write_model_pages(active: ActiveRun, attempt: int, plan: DeploymentPlan, known: dict[str, Any]) -> None:
    root, dataset, test = active.root, known["dataset"], known["test"]
    preprocessing = read_json(root / "models" / "preprocessing.json")
    metrics = {name: Measurement.model_validate(value) for name, value in test["metrics"].items()}
    shared = {
        "name": plan.name, "version": plan.version, "run": active.id, "created": now(), "task": dataset["task"],
        "target": dataset["target"], "positive": dataset.get("positive"), "metrics": metrics,
    }  # fmt: skip
    lineage = {
        "dataset_sha256": dataset["sha256"], "code_version": active.request.code_version, "attempt": attempt,
        "recipe_of": active.request.from_run,
        "rejected": [check.model_dump(mode="json") for check in known["rejected"]],
        "override": known["override"] and known["override"].model_dump(mode="json"),
    }  # fmt: skip
    versions, when = library_versions(read_json(root / "attempts" / str(attempt) / "training-result.json"), VERSIONS)
    page = MetadataContext(
        **shared, labels=dataset.get("labels"), fields=tuple(preprocessing["fields"]), example=preprocessing["example"],
        files=known["files"], lineage=lineage, versions=versions, versions_at=when,
    )  # fmt: skip
    write_text(root / "models" / "model-metadata.json", render("metadata", page))
    write_text(root / "models" / "MODEL_CARD.md", render("model_card", _card(active, attempt, shared, known)))


def _card(active: ActiveRun, attempt: int, shared: dict[str, Any], known: dict[str, Any]) -> ModelCardContext:
    dataset, test = known["dataset"], known["test"]
    architecture = read_json(active.root / "attempts" / str(attempt) / "configs" / "architecture.json")
    splits = read_json(active.root / "data" / "splits.json")
    line = f"{architecture['depth']} layers of {architecture['width']}, {architecture['members']} members, ONNX"
    return ModelCardContext(
        **{**shared, "task": TASKS.get(dataset["task"], dataset["task"])}, goal=active.request.goal,
        labels=tuple(dataset.get("labels") or ()), primary=test["metric"],
        baselines=tuple(baselines(test)), rows={name: len(splits[name]) for name in ("train", "validation", "test")},
        split=dataset["split"]["method"], dataset_sha256=dataset["sha256"], source=Path(active.request.data).name,
        features=tuple((one["name"], one["kind"]) for one in dataset["features"]),
        dropped=tuple((one["name"], one["reason"]) for one in dataset["dropped"]), architecture=line,
        rejected=known["rejected"], override=known["override"],
        limits=("Rows unlike the training rows: the model does not know that it does not know them.",
                "Use on people: nobody has examined this model for fairness."),
    )  # fmt: skip


def _write_deployment(root: Path, folder: str, plan: DeploymentPlan) -> None:
    base = {"name": plan.name, "version": plan.version, "run": root.name}
    where = {"server": f"{folder}/scripts", "models": f"{folder}/models"}
    write_text(root / "Dockerfile", render("dockerfile", DockerfileContext(**base, **where)))
    write_text(root / ".dockerignore", render("dockerignore", DockerignoreContext(**where)))
    write_text(root / "requirements.txt", render("requirements", RequirementsContext()))
    write_text(
        root / "tests" / "validation.py", render("validation_py", ValidationPyContext(name=plan.name, run=root.name))
    )
    script = root / "scripts" / "deploy.sh"
    write_text(script, render("deploy_sh", DeployShContext(name=plan.name, version=plan.version)))
    script.chmod(0o755)


def published_checks(root: Path, attempt: int, sealed: dict[str, str]) -> list[Check]:
    """The published files are the attempt's to the byte, the generated ones parse, and no link leads nowhere."""
    folder = root / "attempts" / str(attempt)
    wrong = [name for name, value in sealed.items() if not (folder / name).exists() or sha256(folder / name) != value]
    differing = [name for name in MODEL_FILES if sha256(root / "models" / name) != sealed[f"models/{name}"]]
    broken = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() and not path.exists()]
    broken += [f"{name}: {target}" for name in DOCUMENTS for target in broken_links(root / name)]
    unparsed = [why for path in _generated(root) if (why := problem(path))]
    parsed, held = "Python, JSON, YAML, shell and Dockerfile", "links between files and in the Markdown documents"
    return [
        fact("attempt_unchanged", not wrong, why=", ".join(wrong) or f"{len(sealed)} files have their recorded hashes"),
        fact("published_is_attempt", not differing, why=", ".join(differing) or "same SHA-256"),
        fact("generated_files_parse", not unparsed, why="; ".join(unparsed) or parsed),
        fact("links_hold", not broken, why=", ".join(broken) or held),
    ]


def _generated(root: Path) -> list[Path]:
    scripts = [root / "scripts" / name for name in ("train.py", "serve.py", "deploy.sh", "backup-checkpoints.sh")]
    documents = [*sorted((root / "configs").glob("*.json")), *sorted((root / "monitoring").glob("*.yml"))]
    others = [root / name for name in ("tests/validation.py", "models/model-metadata.json", "Dockerfile")]
    return [*scripts, *others, *documents]
