"""Job `test`: the only reader of the test split. It holds no training logic itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.evaluation.champion import Champion
    from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Predict the test split with network, graph and baselines; keep the predictions; give SCORES and more.

    Args: "dataset", "architecture", "training", "attempt_folder"; "champion": null or {"models": folder, "run":
    the champion's run folder, or "exclude": hashes of the rows it has seen, "target": null or its target}.
    """
    import torch

    from gpu_jobs.evaluation.answers import store_rows
    from gpu_jobs.evaluation.candidate import Candidate, Place
    from gpu_jobs.evaluation.champion import compare
    from gpu_jobs.evaluation.final import coverage, final_document, save_predictions
    from gpu_jobs.evaluation.scorecard import judge, scorecard

    args = job.args
    training = args.get("training") or {}
    torch.set_num_threads(int(training.get("threads") or 1))
    attempt = job.path(args["attempt_folder"])
    candidate = Candidate(Place(job.root, attempt / "models"), args["architecture"], args["dataset"])
    judged, _ = judge(candidate, "test", training, job.seed)
    save_predictions(candidate, judged, attempt / "predictions.npz")
    truth = candidate.problem.named(judged.sample.truth.tolist())
    store_rows(candidate, judged.sample.rows, truth, job.root / "tests" / "validation_rows.json")
    job.check()
    document = scorecard(candidate, judged, job.measure, job.seed)
    inside = coverage(candidate, judged, job.measure)
    if inside is not None:
        document["metrics"]["coverage"] = inside
    document |= final_document(candidate, judged, job.measure, job.seed)
    document["champion"] = None
    if args.get("champion"):
        champion = _champion(job, args["champion"], args["dataset"]["target"])
        document["champion"] = compare(candidate, judged, champion, job.measure, job.seed)
    return document


def _champion(job: Job, given: dict[str, Any], target: str) -> Champion:
    """The champion of the arguments; its folders may lie outside this run's."""
    from gpu_jobs.evaluation.champion import Champion

    run = job.root / Path(given["run"]) if given.get("run") else None
    exclude = frozenset(given.get("exclude") or ())
    return Champion(job.root / Path(given["models"]), given.get("target") or target, run, exclude)
