"""What `configs/monitoring.json` says: what a training reports and what it does by itself. It watches nothing."""

from __future__ import annotations

from templates.frozen import Frozen


class TrainingWatchContext(Frozen):
    """What the training reports and does by itself.

    Attributes:
        run: the run.
        patience: epochs without a better validation loss after which training stops.
    """

    run: str
    patience: int

    @property
    def document(self) -> dict[str, object]:
        """monitoring.json: what the training job reports, how often, and what it does when something is wrong."""
        return {
            "run": self.run,
            "interval": "epoch",
            "source": "jobs/<train job>/events.jsonl",
            "metrics": [
                "train_loss",
                "validation_loss",
                "metric",
                "rate",
                "gradient_norm",
                "rows_per_second",
                "memory_mb",
                "cpu_percent",
                "gpu_percent",
            ],
            "alerts": {
                "loss_plateau": {
                    "metric": "validation_loss",
                    "when": "no better value",
                    "epochs": self.patience,
                    "then": "training stops and the best epoch is restored",
                },
                "divergence": {
                    "metric": "train_loss",
                    "when": "not finite, or exploded",
                    "then": "training goes back to the last good checkpoint with a lower rate, a few times at most",
                },
            },
        }
