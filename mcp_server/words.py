"""Types of arguments that several tools take. It checks lengths and shapes, and looks nothing up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Short = Annotated[str, Field(min_length=1, max_length=200)]
Run = Annotated[str, Field(min_length=1, max_length=100, description="Run id, a unique part of it, or latest")]
