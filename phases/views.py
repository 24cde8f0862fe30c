"""What a person is shown of runs and deployments: frozen values that doors print. They are read, never written back."""

from __future__ import annotations

import json
import shlex
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from memory.measurement import Measurement

RunStatus = Literal["queued", "running", "waiting", "deployed", "finished", "rejected", "failed", "cancelled"]
PhaseStatus = Literal["pending", "running", "passed", "rejected", "failed", "skipped"]
ENDED: frozenset[str] = frozenset({"deployed", "finished", "rejected", "failed", "cancelled"})
DOCUMENT_KEYS = (
    "run_id",
    "status",
    "phases",
    "metrics",
    "baselines",
    "importance",
    "model",
    "deployment",
    "report",
    "workspace",
    "error",
)


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckView(_View):
    """One named check of a gate: a measurement, or a recorded fact where nothing is numeric."""

    name: str
    measured: Measurement | StrictBool | StrictStr | None = None
    comparison: str = ""
    threshold: Any = None
    passed: bool
    blocking: bool = True
    why: str = ""


class PhaseView(_View):
    """One of the five phases and its gate."""

    name: str
    status: PhaseStatus = "pending"
    seconds: float | None = None
    gate: tuple[CheckView, ...] = ()


class ImportanceView(_View):
    """How much the metric drops when one column is shuffled on the validation split."""

    column: str
    drop: Measurement


class ModelView(_View):
    """A model version: where its ONNX file is, and that file's hash."""

    name: str
    version: str
    path: str
    sha256: str


class DeploymentView(_View):
    """A named model version that answers HTTP.

    Attributes:
        example_request: One real row, `{"field": value, …}`: the JSON body of a `POST <url>/predict`.
        status: `serving`, `starting`, `restarting`, `stopped` or `failed`; of a run's deployment also `down` (its
            process is gone), `replaced` (its name serves another run) or `undeployed`. Not in a run's document.
    """

    name: str
    url: str | None = None
    pid: int | None = None
    example_request: dict[str, Any] | None = None
    status: str = "serving"
    run_id: str | None = None
    version: str | None = None
    previous: str | None = None
    restarts: int = 0
    since: str | None = None

    @property
    def curl(self) -> str | None:
        """A command that works when pasted into a shell, or None while nothing answers."""
        if self.url is None or self.example_request is None:
            return None
        body = shlex.quote(json.dumps(self.example_request, ensure_ascii=False, allow_nan=False))
        address = shlex.quote(f"{self.url.rstrip('/')}/predict")
        return f"curl -s {address} -H 'content-type: application/json' -d {body}"


class QuestionView(_View):
    """What a run that waits wants to know.

    Attributes:
        kind: `target` (answer `{"target": column}`), `budget` (answer `{"choice": one of choices}`), or any approval
            (answer `{"approve": bool, "why": str | None}`).
        text: The question in one sentence.
        proposal: The answer that the agent would give, when it has one: a column for `target`.
        reason: Why it proposes that.
        choices: Other answers that make sense.
    """

    id: str
    kind: str
    text: str
    proposal: str | None = None
    reason: str | None = None
    choices: tuple[str, ...] = ()


class ErrorView(_View):
    """Why a run or a command failed: stable code, what and why, the field that is wrong, what to do."""

    code: str
    message: str
    field: str | None = None
    fix: str | None = None


class RunView(_View):
    """One run as it is now. Every number about the model is a `Measurement`, so a bare one cannot be shown.

    Attributes:
        differences: To each baseline in the run's metric, with its interval; positive = the network is better.
        tested: Whether it has a tested model, which is what can be deployed.
    """

    run_id: str
    status: RunStatus
    reason: str | None = None
    phases: tuple[PhaseView, ...] = ()
    metrics: dict[str, Measurement] = Field(default_factory=dict)
    baselines: dict[str, dict[str, Measurement]] = Field(default_factory=dict)
    differences: dict[str, Measurement] = Field(default_factory=dict)
    importance: tuple[ImportanceView, ...] = ()
    model: ModelView | None = None
    deployment: DeploymentView | None = None
    report: str | None = None
    workspace: str
    question: QuestionView | None = None
    error: ErrorView | None = None
    attempt: int = 0
    created_at: str
    queue_position: int | None = None
    data: str | None = None
    target: str | None = None
    goal: str | None = None
    metric: str | None = None
    tested: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself and nobody is asked."""
        return self.status in ENDED

    def document(self) -> dict[str, Any]:
        """The `--json` document of the run: exactly `DOCUMENT_KEYS`, JSON values only.

        `error` also tells what a run waits for, and why one that ended well is not served though it was to be.
        A check's `measured` is its plain value there, comparable with `threshold`; the provenance of the metric
        it came from is under `metrics`.
        """
        whole = self.model_dump(mode="json")
        if whole["deployment"] is not None:
            kept = ("name", "url", "pid", "example_request")
            whole["deployment"] = {key: whole["deployment"][key] for key in kept}
        told = self.error or self._unanswered() or self._unserved()
        whole["error"] = None if told is None else told.model_dump()
        for phase in whole["phases"]:
            for check in phase["gate"]:
                del check["why"]
                if isinstance(check["measured"], dict):
                    check["measured"] = check["measured"]["value"]
        return {key: whole[key] for key in DOCUMENT_KEYS}

    def _unanswered(self) -> ErrorView | None:
        asked = self.question
        if self.status != "waiting" or asked is None:
            return None
        proposal = f" Proposed: {asked.proposal!r}" if asked.proposal else ""
        why = f" ({asked.reason})" if asked.proposal and asked.reason else ""
        answer = f"neuroloom approve {self.run_id}"
        if asked.kind == "budget":
            fix = f"{answer}, or {answer} --choose {'|'.join(asked.choices)}"
        elif asked.kind != "target":
            fix = f'{answer}, or {answer} --reject --why "…"'
        else:
            fix = answer if asked.proposal else f"{answer} --target COLUMN"
        return ErrorView(
            code=f"run.waiting_{asked.kind}",
            message=f"{asked.text}{proposal}{why}",
            field="target" if asked.kind == "target" else None,
            fix=fix,
        )

    def _unserved(self) -> ErrorView | None:
        if self.status != "finished" or self.reason is None:
            return None
        fix = f"neuroloom deploy {self.run_id}"
        return ErrorView(code="run.not_deployed", message=self.reason, field=None, fix=fix)
