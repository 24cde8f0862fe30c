"""What a deployment is asked to be: which generated server, with which model, under which name. Plain, frozen data."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class DeployRequest(BaseModel):
    """One version to serve under a name.

    Attributes:
        name: Name of the deployment; its address stays the same over versions.
        version: Version of the model.
        run_id: Run that made it.
        intent: Names the wish (`<run>-deploy`): the same intent again is the same deployment.
        serve: Absolute path of the generated `serve.py`.
        models: Absolute path of the folder with its model.
        example_request: JSON body of a `POST /predict` that must be answered before anyone sees the version.
        proof: Absolute path of `{"rows": …, "predictions": …}`, what the model answered when it was tested; the
            version must answer the same before anyone sees it. Absent: nothing is known of its answers.
        python: The interpreter that runs it.
        keep_previous: Whether the version before stays at hand for a rollback.
        ready_seconds: How long it may take until `/readyz` answers 200.
        drain_seconds: How long a replaced server may finish its requests before it is killed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    version: str
    run_id: str
    intent: str
    serve: str
    models: str
    example_request: dict[str, Any]
    proof: str | None = None
    python: str = sys.executable
    keep_previous: bool = True
    ready_seconds: float = Field(default=30.0, gt=0)
    drain_seconds: float = Field(default=25.0, ge=0)
