"""From a problem and a prediction to its `Scores`, and the shape checks in between. It computes no metric itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .errors import EvaluationError
from .metrics import ClassScores, NumberScores, Scores
from .problem import Problem


def scores(problem: Problem, truth: npt.NDArray[np.generic], prediction: npt.NDArray[np.floating]) -> Scores:
    """Score class probabilities (n, classes) or numbers (n,) of a problem.

    Raises:
        EvaluationError: `evaluation.prediction` when the shape is wrong or a value is not finite.
    """
    expected = (len(truth),) if problem.regression else (len(truth), problem.classes)
    if prediction.shape != expected:
        raise EvaluationError(
            f"predictions have shape {prediction.shape!r}, expected {expected!r}",
            code="evaluation.prediction",
            fix="the architecture's outputs and the dataset's labels must be of the same run",
        )
    if not np.isfinite(prediction).all():
        raise EvaluationError("the model predicts values that are not finite", code="evaluation.prediction")
    if problem.regression:
        return NumberScores(truth.astype(np.float64), prediction)
    return ClassScores(truth.astype(np.int64), prediction, problem.positive)
