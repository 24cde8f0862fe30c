"""Generated artefacts: a folder each, with template, context and goldens. It renders and never writes."""

from __future__ import annotations

from .rendering import artefacts, render

__all__ = ["artefacts", "render"]
