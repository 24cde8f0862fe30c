"""What the backup script is generated from."""

from __future__ import annotations

from templates.frozen import Frozen, Name


class BackupShContext(Frozen):
    """`run` names the archives; `keep` of them stay."""

    run: Name
    keep: int = 5
