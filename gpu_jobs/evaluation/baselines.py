"""What the network has to beat on the same split: majority or mean, a linear model, gradient-boosted trees.

Baselines get the network's encoded inputs and the same validation rows for their own choices; they never see the
test split while fitting, and are not tuned beyond one regularisation path and early stopping. All are
deterministic.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .design import Design
from .inputs import Inputs, Predict, Sample, row_count
from .metrics import Array, NumberScores, point
from .problem import Problem

LINEAR_STRENGTHS = (0.01, 0.1, 1.0, 10.0)
RIDGE_STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
_MOST_LEVELS = 255  # above that, HistGradientBoosting takes a category's codes as ordered numbers


@dataclass(frozen=True)
class Scale:
    """A monotone transform of a numeric target and its inverse, as the network is trained on it."""

    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]


@dataclass(frozen=True)
class BaselineSettings:
    """How baselines are fitted.

    Attributes:
        seed: of the trees' binning.
        threads: most threads any of them uses.
        class_weights: weight of each class in the loss, as the network's; None = all equal.
        scale: the network's target transform; a baseline takes it where it lowers its validation RMSE.
        rounds: most boosting rounds.
    """

    seed: int = 0
    threads: int = 1
    class_weights: Sequence[float] | None = None
    scale: Scale | None = None
    rounds: int = 500


def fit_baselines(
    problem: Problem, train: Sample, validation: Sample, settings: BaselineSettings
) -> dict[str, Predict]:
    """Fit all three: {"majority" or "mean", "linear", "trees"} → predictor, in the order of reports."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(settings.threads):
        if problem.regression:
            return {
                "mean": _mean(train),
                "linear": _number_model(_ridge, train, validation, settings),
                "trees": _number_model(_tree_numbers, train, validation, settings),
            }
        return {
            "majority": _majority(problem, train),
            "linear": _class_model(_logistic, problem, train, validation, settings),
            "trees": _class_model(_tree_classes, problem, train, validation, settings),
        }


def _majority(problem: Problem, train: Sample) -> Predict:
    counts = np.bincount(train.truth.astype(np.int64), minlength=problem.classes)
    shares = counts / counts.sum()
    return lambda inputs: np.tile(shares, (row_count(inputs), 1))


def _mean(train: Sample) -> Predict:
    value = float(train.truth.astype(np.float64).mean())
    return lambda inputs: np.full(row_count(inputs), value)


_ClassFit = Callable[[Sample, Sample, BaselineSettings, "Array | None"], tuple[Predict, npt.NDArray[np.int64]]]


def _class_model(
    fit: _ClassFit, problem: Problem, train: Sample, validation: Sample, settings: BaselineSettings
) -> Predict:
    """Fit a classifier; classes that no training row has get probability zero."""
    truth = train.truth.astype(np.int64)
    present = np.unique(truth)
    if len(present) < 2:
        return _majority(problem, train)
    known = np.flatnonzero(np.isin(validation.truth, present))
    validation = Sample({k: v[known] for k, v in validation.inputs.items()}, validation.truth[known])
    weights = None if settings.class_weights is None else np.asarray(settings.class_weights, np.float64)
    model, classes = fit(Sample(train.inputs, truth), validation, settings, weights)

    def predict(inputs: Inputs) -> npt.NDArray[np.floating]:
        p = np.zeros((row_count(inputs), problem.classes))
        p[:, classes] = model(inputs)
        return p

    return predict


def _logistic(
    train: Sample, validation: Sample, settings: BaselineSettings, weights: Array | None
) -> tuple[Predict, npt.NDArray[np.int64]]:
    """Logistic regression on standardised inputs; the strength of its L2 penalty by validation log loss."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    design = Design(train.inputs)
    x, x_validation = design(train.inputs), design(validation.inputs)
    truth = train.truth.astype(np.int64)
    model = LogisticRegression(max_iter=500, tol=1e-4, warm_start=True, random_state=settings.seed)
    chosen: tuple[float, Any, Any] | None = None
    for strength in LINEAR_STRENGTHS:
        model.set_params(C=strength)
        with warnings.catch_warnings():  # 500 steps reach a loss that more hardly better
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, truth, sample_weight=None if weights is None else weights[truth])
        loss = _weighted_loss(model.predict_proba(x_validation), validation.truth, model.classes_, weights)
        if chosen is None or loss < chosen[0]:
            chosen = loss, model.coef_.copy(), model.intercept_.copy()
    assert chosen is not None
    model.coef_, model.intercept_ = chosen[1:]
    return lambda inputs: model.predict_proba(design(inputs)), model.classes_


def _weighted_loss(
    p: Array, truth: npt.NDArray[np.generic], classes: npt.NDArray[np.int64], weights: Array | None
) -> float:
    if not len(truth):
        return 0.0
    column = np.searchsorted(classes, truth)
    each = -np.log(np.maximum(p[np.arange(len(truth)), column], 1e-12))
    return float(np.average(each, weights=None if weights is None else weights[truth.astype(np.int64)]))


def _tree_classes(
    train: Sample, validation: Sample, settings: BaselineSettings, weights: Array | None
) -> tuple[Predict, npt.NDArray[np.int64]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    truth = train.truth.astype(np.int64)
    classes = len(np.unique(truth))
    rounds = max(50, settings.rounds * 2 // max(classes, 2))
    model = HistGradientBoostingClassifier(**_tree_settings(train, validation, settings, rounds))
    seen = validation.truth.astype(np.int64)
    model.fit(
        _table(train.inputs),
        truth,
        sample_weight=None if weights is None else weights[truth],
        X_val=_table(validation.inputs) if len(seen) else None,
        y_val=seen if len(seen) else None,
        sample_weight_val=None if weights is None or not len(seen) else weights[seen],
    )
    return lambda inputs: model.predict_proba(_table(inputs)), model.classes_


def _tree_settings(train: Sample, validation: Sample, settings: BaselineSettings, rounds: int) -> dict[str, Any]:
    numbers = train.inputs["numbers"].shape[1] if "numbers" in train.inputs else 0
    levels = train.inputs["categories"].max(axis=0) if "categories" in train.inputs else np.zeros(0)
    top = validation.inputs["categories"].max(axis=0, initial=0) if "categories" in validation.inputs else levels
    few = np.maximum(levels, top) < _MOST_LEVELS
    return {
        "max_iter": rounds,
        "early_stopping": len(validation.truth) > 0,
        "n_iter_no_change": 20,
        "random_state": settings.seed,
        "categorical_features": np.concatenate([np.zeros(numbers, bool), few]) if few.any() else None,
    }


def _table(inputs: Inputs) -> npt.NDArray[np.floating]:
    """Numbers, then category codes, as one float matrix."""
    return np.hstack([array.astype(np.float32) for array in _ordered(inputs)])


def _ordered(inputs: Inputs) -> list[npt.NDArray[np.generic]]:
    return [inputs[name] for name in ("numbers", "categories") if name in inputs]


_NumberFit = Callable[[Sample, Sample, BaselineSettings], Predict]


def _number_model(fit: _NumberFit, train: Sample, validation: Sample, settings: BaselineSettings) -> Predict:
    """Fit on the plain target and, if there is a transform, on the transformed one; validation RMSE decides."""
    candidates = [fit(train, validation, settings)]
    if settings.scale is not None:
        candidates.append(_scaled(fit, settings.scale, train, validation, settings))
    if len(candidates) == 1 or not len(validation.truth):
        return candidates[0]
    truth = validation.truth.astype(np.float64)
    return min(candidates, key=lambda model: point(NumberScores(truth, model(validation.inputs)))["rmse"])


def _scaled(fit: _NumberFit, scale: Scale, train: Sample, validation: Sample, settings: BaselineSettings) -> Predict:
    truth = scale.forward(train.truth.astype(np.float64))
    held = scale.forward(validation.truth.astype(np.float64))
    model = fit(Sample(train.inputs, truth), Sample(validation.inputs, held), settings)
    low, high = truth.min(), truth.max()
    return lambda inputs: scale.inverse(np.clip(model(inputs), low, high))


def _ridge(train: Sample, validation: Sample, settings: BaselineSettings) -> Predict:
    """Ridge regression on standardised inputs; the strength of its penalty by validation RMSE."""
    from sklearn.linear_model import Ridge

    del settings
    design = Design(train.inputs)
    x, x_validation = design(train.inputs), design(validation.inputs)
    truth, held = train.truth.astype(np.float64), validation.truth.astype(np.float64)
    models = [Ridge(alpha=strength).fit(x, truth) for strength in RIDGE_STRENGTHS]
    errors = [float(((model.predict(x_validation) - held) ** 2).sum()) if len(held) else 0.0 for model in models]
    best = models[int(np.argmin(errors))]
    return lambda inputs: np.asarray(best.predict(design(inputs)), np.float64)


def _tree_numbers(train: Sample, validation: Sample, settings: BaselineSettings) -> Predict:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(**_tree_settings(train, validation, settings, settings.rounds))
    held = validation.truth.astype(np.float64)
    model.fit(
        _table(train.inputs),
        train.truth.astype(np.float64),
        X_val=_table(validation.inputs) if len(held) else None,
        y_val=held if len(held) else None,
    )
    return lambda inputs: np.asarray(model.predict(_table(inputs)), np.float64)
