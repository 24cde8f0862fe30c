"""What to watch: of the endpoint, as Prometheus rules, and of the training, as the run's monitoring document."""

from __future__ import annotations

from templates.frozen import Frozen, Name


class MonitoringContext(Frozen):
    """Thresholds are settings, not measurements.

    Attributes:
        name, run: the deployment (also the Prometheus job) and the run.
        address: host and port that Prometheus scrapes.
        latency_ms: the endpoint's 95th percentile must stay below it.
        memory_mb: the endpoint's resident memory must stay below it.
        metric: the primary metric; `higher_is_better` says which way is a drop.
        accuracy_drop: how far it may fall, as a fraction, before somebody looks.
        plateau_epochs: epochs without a better validation loss.
        cpu_percent, gpu_percent: of the training.
    """

    name: Name
    run: str
    address: str = "127.0.0.1:8000"
    latency_ms: float = 100.0
    memory_mb: int = 512
    metric: str = "accuracy"
    higher_is_better: bool = True
    accuracy_drop: float = 0.05
    plateau_epochs: int = 10
    cpu_percent: float = 95.0
    gpu_percent: float = 95.0

    @property
    def latency_s(self) -> float:
        """The latency threshold in seconds, as the histogram counts."""
        return self.latency_ms / 1000

    @property
    def document(self) -> dict[str, object]:
        """monitoring.json: what the training reports, how often, and when it says something."""
        return {
            "run": self.run,
            "interval": "epoch",
            "source": "jobs/<train job>/events.jsonl, and neural/training-status in memory",
            "metrics": [
                "train_loss",
                "validation_loss",
                self.metric,
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
                    "epochs": self.plateau_epochs,
                    "then": "training stops and the best epoch is restored",
                },
                "accuracy_drop": {
                    "metric": self.metric,
                    "when": "falls" if self.higher_is_better else "rises",
                    "by": self.accuracy_drop,
                    "against": "the best epoch so far",
                    "then": "it is said; after a divergence training goes back to the last good checkpoint",
                },
                "resource_limit": {
                    "memory_mb": self.memory_mb,
                    "cpu_percent": self.cpu_percent,
                    "gpu_percent": self.gpu_percent,
                    "then": "it is said; beyond the job's own limit the job ends",
                },
            },
            "endpoint": {"rules": "monitoring/rules.yml", "scrape": "monitoring/prometheus.yml"},
        }
