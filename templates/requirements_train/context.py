"""The versions that a run trained with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from templates.frozen import Frozen

Distribution = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")]


class RequirementsTrainContext(Frozen):
    """Distribution name to version; a local part such as `+cpu` names a build and is dropped."""

    packages: dict[Distribution, Version]

    @property
    def lines(self) -> list[str]:
        """`name==version`, torch first."""
        pairs = sorted(self.packages.items(), key=lambda pair: (pair[0] != "torch", pair[0]))
        return [f"{name}=={version.partition('+')[0]}" for name, version in pairs]
