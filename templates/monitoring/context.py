"""What Prometheus watches of an endpoint, and where it scrapes it."""

from __future__ import annotations

from templates.frozen import Frozen, Name
from templates.serve.context import ServeDefaults


class MonitoringContext(Frozen):
    """Thresholds are settings, not measurements.

    Attributes:
        name, run: the deployment (also the Prometheus job) and the run.
        url: where Neuroloom serves it; None while it does not, then it is where deploy.sh would.
        latency_ms: the endpoint's 95th percentile must stay below it.
        memory_mb: the endpoint's resident memory must stay below it.
    """

    name: Name
    run: str
    url: str | None = None
    latency_ms: float = 100.0
    memory_mb: int = 512

    @property
    def address(self) -> str:
        """Host and port that Prometheus scrapes."""
        return (self.url or f"http://127.0.0.1:{ServeDefaults().port}").removeprefix("http://")

    @property
    def latency_s(self) -> float:
        """The latency threshold in seconds, as the histogram counts."""
        return self.latency_ms / 1000
