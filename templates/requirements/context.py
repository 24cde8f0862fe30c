"""The serving requirements take nothing from a run: they are locked with Neuroloom."""

from __future__ import annotations

from templates.frozen import Frozen


class RequirementsContext(Frozen):
    """Nothing."""
