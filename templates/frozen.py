"""The base of every context: frozen, and closed to fields that a template does not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """No changes, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
