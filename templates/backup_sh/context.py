"""What the backup script is generated from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..frozen import Frozen


class BackupShContext(Frozen):
    """`run` names the archives; `keep` of them stay."""

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    keep: int = 5
