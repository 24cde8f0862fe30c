"""Job `evaluate`: the candidate check of an attempt on the validation split. It holds no training logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_jobs.tasks.job import Job


def run(job: Job) -> dict[str, Any]:
    """Give the SCORES document of `args["split"]` with permutation importance; keep the predictions.

    Args: "dataset", "architecture", "training", "attempt_folder", "split" (default validation; never test).
    """
    import torch

    from gpu_jobs.evaluation.candidate import Candidate, Place
    from gpu_jobs.evaluation.errors import EvaluationError
    from gpu_jobs.evaluation.final import save_predictions
    from gpu_jobs.evaluation.scorecard import importances, judge, scorecard

    args = job.args
    split = args.get("split", "validation")
    if split not in ("train", "validation"):
        raise EvaluationError(
            f"the evaluate job does not read the split {split!r}",
            code="evaluation.rows",
            field="split",
            fix="evaluate on 'validation'; the test split is read once, by the test job",
        )
    training = args.get("training") or {}
    torch.set_num_threads(int(training.get("threads") or 1))
    place = Place(job.root, job.path(args["attempt_folder"]) / "models")
    candidate = Candidate(place, args["architecture"], args["dataset"])
    judged, _ = judge(candidate, split, training, job.seed)
    save_predictions(candidate, judged, place.models.parent / f"predictions-{split}.npz")
    job.check()
    document = scorecard(candidate, judged, job.measure, job.seed)
    job.check()
    return document | {"importance": importances(candidate, job.measure, job.seed)}
