"""The one error of the model code: a refused architecture, weight file or input.

It carries the four attributes that the job child writes into `exit` (code, message, field, fix); it does not
import the product's error tree, because this code also runs standalone.
"""

from __future__ import annotations


class ModelError(Exception):
    """A model that cannot be described, built, loaded or called as asked.

    Attributes:
        message: what is wrong, naming the culprit and the valid choices.
        code: stable, `model.<what>`.
        field: the architecture field at fault, or None.
        fix: what would be right, or None.
    """

    def __init__(
        self, message: str, *, code: str = "model.invalid", field: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.fix = fix
