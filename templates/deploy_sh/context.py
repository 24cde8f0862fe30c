"""What the deployment script is generated from."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from templates.frozen import Frozen, Name
from templates.serve.context import ServeDefaults


class DeployShContext(Frozen):
    """The name of the deployment gives the image's and the container's name."""

    name: Name
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    port: int = ServeDefaults().port
    memory_mb: int = 512

    @property
    def image(self) -> str:
        """The name as Docker takes it: lower case, single separators inside."""
        return re.sub(r"[._-]+", "-", self.name.lower()).strip("-")
