"""What model-metadata.json says about a model version."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import JsonValue

from memory.measurement import Measurement
from templates.frozen import Frozen


class MetadataContext(Frozen):
    """Identity, what it takes and gives, how it scored, where it comes from, and the hashes of its files.

    Attributes:
        fields: the schema of a row, as `RowEncoder.fields` gives it.
        metrics: on the test split.
        files: file name to SHA-256, relative to models/.
        lineage: dataset_sha256, code_version, attempt, parent version and the like; `rejected`: the checks that a
            gate refused the model for, and `override`: why it is served all the same.
        versions: distribution to version.
        versions_at: when these were taken: when it was trained, or only when this was written.
    """

    name: str
    version: str
    run: str
    created: str
    task: Literal["binary", "multiclass", "regression"]
    target: str
    positive: str | None = None
    labels: tuple[str, ...] | None = None
    fields: tuple[dict[str, Any], ...]
    example: dict[str, Any]
    metrics: dict[str, Measurement]
    files: dict[str, str]
    lineage: dict[str, JsonValue]
    versions: dict[str, str]
    versions_at: Literal["training", "writing"]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {"schema": 1, **self.model_dump(mode="json")}
