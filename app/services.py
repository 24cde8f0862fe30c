"""The services as the doors need them: protocols that `phases/services` fulfils. They carry no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from phases.datasets import DatasetProfile, DatasetView, Profiling, UploadView
from phases.request import RunRequest
from phases.steering import SteerOrder
from phases.views import DeploymentView, RunView

if TYPE_CHECKING:
    from phases.privacy.privacy import Privacy


class RunsService(Protocol):
    """Runs: start, read, steer. `run` is an id, a unique prefix of one, or `latest` (of this workspace)."""

    async def start(self, request: RunRequest, once: str | None = None) -> RunView:
        """Check, record and enqueue; answers at once with the queued run. The same `once` never starts a second."""

    async def get(self, run: str, *, here: bool = False) -> RunView:
        """The run as it is now; InputError `input.no_such_run` or `input.ambiguous_run` when it is not one.

        With `here`, a part of an id means a run of this workspace only.
        """

    async def list(self, limit: int = 20, offset: int = 0, status: str | None = None) -> Sequence[RunView]:
        """Newest first, of this workspace: `limit` of them after the first `offset`, of one status or of all."""

    async def events(self, run: str, after: str = "0", block_ms: int = 0) -> Sequence[tuple[str, dict[str, Any]]]:
        """Events after a position, each with its own; waits up to `block_ms` for the first."""

    async def newest_event(self, run: str) -> tuple[str, str | None]:
        """The run's full id and the position of its newest event."""

    async def logs(self, run: str) -> Sequence[tuple[str, str]]:
        """`(job, text)` of every job of the run, in order."""

    async def cancel(self, run: str, at_once: bool = False) -> RunView:
        """Ask the runner to end it cleanly, or at once."""

    async def resume(self, run: str) -> RunView:
        """Enqueue a failed, cancelled or orphaned run again from its last checkpoint."""

    async def answer(self, run: str, question: str, answer: dict[str, Any], door: str) -> RunView:
        """Answer the question with that id, and enqueue the run again."""

    async def remove(self, run: str) -> None:
        """Delete an ended run: its memory and its folder."""

    async def report_path(self, run: str) -> Path:
        """The HTML report; InputError when the run has none yet."""


class DeploymentsService(Protocol):
    """Named deployments of this machine."""

    async def list(self) -> Sequence[DeploymentView]:
        """Every deployment, by name."""

    async def get(self, name: str) -> DeploymentView:
        """One deployment; InputError `input.no_such_deployment` with the nearest names."""

    async def deploy(
        self, run: str, name: str | None = None, override: bool = False, why: str | None = None, *,
        door: str = "cli", patience: float | None = None,
    ) -> DeploymentView:  # fmt: skip
        """Publish a run's model; GateRejected when a gate rejected it and no override with a reason is given."""

    async def rollback(self, name: str) -> DeploymentView:
        """Back to the previous version."""

    async def undeploy(self, name: str) -> None:
        """Stop it and forget the name; the model stays."""

    async def logs(self, name: str) -> str:
        """The end of the server's log."""


class ModelsService(Protocol):
    """Model versions, predictions and retraining."""

    async def list(self, limit: int = 20, offset: int = 0) -> Sequence[dict[str, Any]]:
        """The workspace's model versions, newest first, each with the deployments that serve it."""

    async def predict(self, target: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """`{"predictions", "model", "latency_ms"}` of a run's model, or of a deployment by name."""

    async def predict_file(self, target: str, source: Path, out: Path) -> dict[str, Any]:
        """Predict every row of a table, read as the training table was, into `out`; `{"rows", "out", "model"}`."""

    async def retrain(
        self, name: str, data: str, *, workspace: str, door: str = "cli", once: str | None = None,
        changes: Mapping[str, Any] = ...,
    ) -> RunView:  # fmt: skip
        """A run with the recipe of the deployed model on new data; champion against challenger before any swap."""


class SteeringService(Protocol):
    """Orders to live runs."""

    async def steer(self, run: str, order: SteerOrder, door: str) -> dict[str, Any]:
        """Record an order and send it to the training job; `{"run_id", "order", "job", "told"}`.

        RunError `run.not_training` or `run.ended` when there is no training to steer; a note is always taken.
        """


class ComparisonService(Protocol):
    """Runs side by side."""

    async def compare(self, runs: Sequence[str]) -> dict[str, Any]:
        """Two to ten runs: `{"runs", "differences", "comparable", "why_not", "metric", "best"}`."""


class FiguresService(Protocol):
    """Figures of reports."""

    async def list(self, run: str) -> Sequence[dict[str, Any]]:
        """The figures of a run's report: `{"name", "title", "alt", "svg", "png"}`, the last two paths or None."""


class NotesService(Protocol):
    """The shared `neural/*` memory as people and chats read and write it."""

    async def get(self, run: str, key: str, envelope: bool = False) -> Any:
        """A value, or its whole envelope; InputError `input.no_such_key` with the nearest names."""

    async def set(self, key: str, value: Any, *, run: str | None = None, by: str = "cli") -> str:
        """Keep a value as asserted by a person; returns the key it was written to."""

    async def list(self, run: str) -> Sequence[str]:
        """Every key that has a value."""


class DatasetReadsService(Protocol):
    """Tables of this workspace, read; `locate` and `profile` take a dataset's name or a path in the data roots."""

    async def list(self, limit: int = 50, offset: int = 0) -> Sequence[DatasetView]:
        """Datasets by name."""

    async def count(self) -> int:
        """How many there are."""

    async def get(self, name: str) -> DatasetView:
        """One dataset; InputError `input.no_such_dataset` with the nearest names."""

    def locate(self, name_or_path: str) -> Path:
        """The file that is meant; InputError `input.outside_roots` beyond the data roots."""

    async def profile(
        self, name_or_path: str, target: str | None = None, wait_seconds: float = 45.0
    ) -> DatasetProfile | Profiling:
        """What a table holds, without a raw cell; `Profiling` after the wait: the same call goes on with it."""


class UploadsService(Protocol):
    """A table in chunks: bounded, checksummed, resumable."""

    async def begin(self, name: str, size: int, sha256: str) -> UploadView:
        """Begin, or see how far the same upload is."""

    async def chunk(self, upload: str, index: int, data_base64: str) -> UploadView:
        """Take a chunk, counted from 0; the same one twice is no change."""

    async def finish(self, upload: str) -> DatasetView:
        """Put the chunks together; InputError names those that are missing, or a wrong hash."""


class DatasetsService(DatasetReadsService, UploadsService, Protocol):
    """Tables kept by name: added, read, removed."""

    def anywhere(self) -> DatasetsService:
        """The same without data roots: for a person at the terminal only."""

    async def add_path(self, path: str, name: str | None = None) -> DatasetView:
        """Keep a copy of a file."""

    async def add_inline(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]] | str,
        format: Literal["csv", "tsv", "jsonl"] | None = None,
    ) -> DatasetView:
        """Keep a small table given in the call."""

    async def remove(self, name: str) -> DatasetView:
        """Delete a dataset."""


class GuardService(Protocol):
    """What may leave through a door other than the command line."""

    def plain(self, *said: str) -> Privacy:
        """For what is about no run; `said` are names that the caller gave itself."""

    async def of(self, run: str, *said: str) -> Privacy:
        """For one run, by its full id."""


class Services(Protocol):
    """What a door gets: one object per noun, on one open memory. Each is loaded when it is first asked for."""

    @property
    def runs(self) -> RunsService:
        """Start, read and steer runs."""

    @property
    def deployments(self) -> DeploymentsService:
        """What is served."""

    @property
    def models(self) -> ModelsService:
        """Predict and retrain."""

    @property
    def steering(self) -> SteeringService:
        """Orders to live runs."""

    @property
    def comparison(self) -> ComparisonService:
        """Runs side by side."""

    @property
    def figures(self) -> FiguresService:
        """Figures of reports."""

    @property
    def notes(self) -> NotesService:
        """Shared memory, as people read and write it."""

    @property
    def datasets(self) -> DatasetsService:
        """Tables kept by name."""

    @property
    def guard(self) -> GuardService:
        """What may leave."""
