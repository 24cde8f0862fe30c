"""The train job: the prepared table to trained weights. The training itself is `gpu_jobs/training`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpu_jobs.tasks.job import Cancelled, Job

if TYPE_CHECKING:
    from gpu_jobs.models.architecture import Architecture
    from gpu_jobs.training.finish import Outcome
    from gpu_jobs.training.group import Group
    from gpu_jobs.training.settings import TrainSettings


class _RankWatch:
    """What ranks above 0 see of the job: when to stop, and nothing else."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @property
    def stopping(self) -> bool:
        return self._job.stopping

    def control(self) -> dict[str, Any]:
        return {}

    def emit(self, type: str, **fields: Any) -> None:
        """Rank 0 speaks for all."""


def settings_of(job: Job) -> tuple[Architecture, TrainSettings]:
    """The architecture and training settings in the job's arguments; the spec's workers and device count too.

    Raises:
        ModelError: the architecture is refused.
        TrainingError: a setting is refused.
    """
    from gpu_jobs.models.architecture import Architecture
    from gpu_jobs.training.settings import TrainSettings

    settings = TrainSettings.from_dict(job.args["training"])
    device = settings.device if job.device == "cpu" else job.device
    settings = replace(settings, workers=max(settings.workers, job.workers), device=device)
    return Architecture.from_dict(job.args["architecture"]), settings


def run(job: Job) -> dict[str, Any]:
    """Train the attempt, going on from its newest sound checkpoint when there is one.

    Returns:
        The result of contract "train": epochs, losses and metric as measurements, checkpoints, the restored check.

    Raises:
        Cancelled: told to stop; a checkpoint was written.
        TrainingError: it diverged for good, a worker was lost, or a setting is refused.
    """
    from gpu_jobs.training.workers import present, together

    architecture, settings = settings_of(job)

    def work(group: Group) -> tuple[list[int], Outcome | None]:
        return present(group), _work(job, architecture, settings, group)

    ranks, outcome = together(settings.workers, job.folder, work)
    if outcome is None:
        raise Cancelled(f"job {job.id!r} was told to stop; its checkpoint is written")
    return {**_result(job, settings, outcome, architecture.classes), "workers": len(set(ranks))}


def _work(job: Job, architecture: Architecture, settings: TrainSettings, group: Group) -> Outcome | None:
    """One rank's part; the outcome on rank 0, None when told to stop."""
    import torch

    from gpu_jobs.data.table import load_prepared
    from gpu_jobs.training.finish import finish
    from gpu_jobs.training.loop import Plan, Trainer
    from gpu_jobs.training.settings import recipe_hash
    from gpu_jobs.training.table import Table

    table = Table.of(load_prepared(job.root), architecture.classes, torch.device("cpu"))
    recipe = recipe_hash(architecture.as_dict(), settings.as_dict(), job.dataset_sha256)
    plan = Plan(architecture, settings, job.path(job.args["attempt_folder"]), recipe)
    watch = job if group.rank == 0 else _RankWatch(job)
    trainer = Trainer(plan, table, watch, group)
    if trainer.run() == "signal" or group.rank:
        return None
    return finish(trainer)


def _result(job: Job, settings: TrainSettings, outcome: Outcome, classes: int) -> dict[str, Any]:
    from gpu_jobs.evaluation.metrics import unit

    loss_unit = "nats" if classes else "squared standard deviations"
    metric_unit = unit(outcome.metric["name"])
    value = outcome.metric["value"]
    return {
        "epochs_run": outcome.epochs_run,
        "best_epoch": outcome.best_epoch,
        "stopped": outcome.stopped,
        "converged": outcome.converged,
        "diverged": outcome.diverged,
        "train_loss": job.measure(outcome.train_loss, loss_unit, split="train"),
        "validation_loss": job.measure(outcome.validation_loss, loss_unit, split="validation"),
        "metric_name": outcome.metric["name"],
        "metric": None if value is None else job.measure(value, metric_unit, split="validation"),
        "seconds": job.measure(outcome.seconds, "s"),
        "rows_per_second": job.measure(outcome.rows_per_second, "rows/s"),
        "peak_memory_mb": job.measure(outcome.peak_memory_mb, "MB"),
        "chosen_by": outcome.chosen_by,
        "steered": outcome.steered,
        "checkpoints": outcome.checkpoints,
        "weights_sha256": outcome.weights_sha256,
        "restored": outcome.restored,
        "device": settings.device,
        "threads": settings.threads if settings.workers == 1 else 1,
    }
