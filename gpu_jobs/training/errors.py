"""The one error of the training code, and what its codes mean; it does not import the product's error tree.

Codes: `training.settings` (a refused setting), `training.diverged` (bounded recoveries were not enough),
`training.checkpoint` (a file that cannot be written or trusted), `training.worker` (a rank was lost),
`training.device` (asked for and absent), `training.not_finite` (the first step already fails).
"""

from __future__ import annotations


class TrainingError(Exception):
    """Training that cannot start or go on.

    Attributes:
        message: what is wrong, naming the culprit and the valid choices.
        code: stable, one of the module's list.
        field: the setting at fault, or None.
        fix: what would be right, or None.
    """

    def __init__(self, message: str, *, code: str, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.fix = fix
