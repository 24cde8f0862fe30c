"""The one error of the evaluation code; it does not import the product's error tree, because it also runs standalone.

Codes: `evaluation.metric` (a metric that the task does not have), `evaluation.prediction` (wrong shape or not finite),
`evaluation.champion` (a champion that cannot be compared), `evaluation.rows` (a split without rows).
"""

from __future__ import annotations


class EvaluationError(Exception):
    """Something that cannot be evaluated.

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
