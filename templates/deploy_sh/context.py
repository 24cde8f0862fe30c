"""What the deployment script is generated from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..frozen import Frozen


class DeployShContext(Frozen):
    """`name` becomes the image's and the container's name, so it is one that Docker takes."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=100)]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    port: int = 8000
    memory_mb: int = 512
