"""The rule of `Diagnosis`: reads a failed candidate's scores and says what to change, or that the data
cannot do it.

Scores are compared as *skill*: 0 is the naive model (majority, mean), 1 is perfect, whatever the metric. It
reads the validation split's scores only, and changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents import metrics
from agents.decisions.architecture_design import within
from agents.decisions.diagnosis import Diagnosis
from agents.reasoners.rules.architecture import RATE_UP, WIDE
from agents.reasoners.rules.wording import one_line

MOST_ATTEMPTS = 3
NEAR = 0.02
"""Skill below this is no skill."""
GAP = 0.1
"""A training score this much (in skill) above the validation score is over-fitting."""
LEARNED = 0.97
"""A network that is nearly perfect on its training rows gains nothing from more capacity."""
FEW_ROWS = 200
STILL_FEW_ROWS = 1000

Kind = Literal["under_fit", "over_fit", "unstable", "too_slow", "too_little_data", "hopeless"]


@dataclass(frozen=True)
class Finding:
    """What is wrong, why, and what would be changed; an empty change stops."""

    kind: Kind
    why: str
    change: Mapping[str, Any]


@dataclass(frozen=True)
class Skills:
    """Skill of the network on validation and training rows and of the baselines; `noise` is one standard
    error.
    """

    network: float
    train: float
    linear: float
    trees: float
    noise: float

    @property
    def best(self) -> float:
        """The best skill that any model reached on validation rows."""
        return max(self.network, self.linear, self.trees)

    @property
    def spread(self) -> float:
        """How far the three models lie apart."""
        return self.best - min(self.network, self.linear, self.trees)


def decide(context: Mapping[str, Any]) -> Diagnosis:
    """Why a candidate failed and what to change next.

    Args:
        context: `attempt`, `scores` (validation SCORES), `train` (the train job's result), `checks` (judged),
            `dataset`, `architecture`, `training`, and where there are `request` and `max_attempts`.
    """
    skills = measure(context["scores"], _comparable(context["scores"]))
    finding = _find(context, skills)
    change = _effective(finding.change, context)
    attempt, most = int(context.get("attempt") or 1), int(context.get("max_attempts") or MOST_ATTEMPTS)
    last = attempt >= most
    stop = last or not change
    ending = (
        f"attempt {attempt} was the last"
        if last
        else "nothing is left to change"
        if finding.change
        else "stopping here"
    )
    failed = [check["name"] for check in context.get("checks") or () if check["blocking"] and not check["passed"]]
    return Diagnosis(
        reason=one_line([finding.why, ending if stop else f"next: {_told(change)}"]),
        evidence={
            "failed": failed,
            "skill": {
                name: round(getattr(skills, name), 4) for name in ("network", "train", "linear", "trees", "noise")
            },
            "attempt": attempt,
        },
        kind=finding.kind,
        change={} if stop else change,
        stop=stop,
    )


def measure(scores: Mapping[str, Any], name: str) -> Skills:
    """Skills by the metric `name`: (value - naive) / (perfect - naive), sign by the metric's direction."""
    naive_name = "mean" if "mean" in scores["baselines"] else "majority"
    naive = _value(scores["baselines"][naive_name], name)
    perfect = 1.0 if metrics.BY_NAME[name].higher_is_better else 0.0
    room = perfect - naive

    def skill(values: Mapping[str, Any]) -> float:
        return (_value(values, name) - naive) / room if room else 0.0

    interval = scores["metrics"][name].get("interval")
    noise = abs((interval[1] - interval[0]) / 3.92 / room) if interval and room else 0.0
    baselines = scores["baselines"]
    return Skills(
        network=skill(scores["metrics"]),
        train=skill(scores["train_metrics"]),
        linear=skill(baselines["linear"]),
        trees=skill(baselines["trees"]),
        noise=noise,
    )


def _comparable(scores: Mapping[str, Any]) -> str:
    """The run's metric, or the usual one where it is undefined for somebody (a split with one class has no AUC)."""
    name = str(scores["metric"])
    everyone = (scores["metrics"], scores["train_metrics"], *scores["baselines"].values())
    if all(name in values for values in everyone):
        return name
    return "rmse" if "mean" in scores["baselines"] else "accuracy"


def _find(context: Mapping[str, Any], skills: Skills) -> Finding:
    for look in (_unstable, _too_slow, _no_signal, _beyond, _over_fit):
        if (finding := look(context, skills)) is not None:
            return finding
    return _under_fit(context, skills)


def _unstable(context: Mapping[str, Any], _: Skills) -> Finding | None:
    train, settings = context["train"], context["training"]
    if not train.get("diverged") and train.get("converged", True):
        return None
    change = {
        "rate": settings["rate"] * 0.3 / RATE_UP,
        "warmup": max(0.1, 2 * settings["warmup"]),
        "clip_norm": settings["clip_norm"] / 2,
    }
    times = f"diverged {train['diverged']} times" if train.get("diverged") else "did not settle"
    return Finding("unstable", f"training {times}", change)


def _too_slow(context: Mapping[str, Any], skills: Skills) -> Finding | None:
    late = [
        c["name"] for c in context.get("checks") or () if not c["passed"] and c["blocking"] and "latency" in c["name"]
    ]
    cut = context["train"].get("stopped") == "budget" and skills.network + skills.noise < max(
        skills.linear, skills.trees
    )
    if not late and not cut:
        return None
    network = context["architecture"]
    why = f"{late[0]} is over its limit" if late else "the time budget ended training before it was done"
    change = {"width": max(32, network["width"] // 2), "members": max(1, network["members"] // 2)}
    return Finding("too_slow", f"{why}: a smaller network", change)


def _no_signal(context: Mapping[str, Any], skills: Skills) -> Finding | None:
    if skills.best > max(NEAR, 2 * skills.noise):
        return None
    rows = _train_rows(context)
    told = "network, linear model and trees all score like the naive guess"
    if rows < FEW_ROWS:
        return Finding("too_little_data", f"{told} on {rows} training rows: more rows are needed", {})
    return Finding("hopeless", f"{told}: these columns do not tell the target", {})


def _beyond(context: Mapping[str, Any], _: Skills) -> Finding | None:
    """A stated requirement that lies further from every model than the models lie apart."""
    keys = {option.key: option.metric for option in metrics.options()}
    for check in context.get("checks") or ():
        metric = keys.get(check["name"])
        if (
            check["passed"]
            or metric is None
            or metric.source != "scores"
            or metric.name not in context["scores"]["metrics"]
        ):
            continue
        if metric.name == "gap" or metric.name not in context["scores"]["baselines"]["trees"]:
            continue
        if _distance(context["scores"], metric.name, float(check["threshold"])):
            name, wanted = metric.name, check["threshold"]
            best = _best_value(context["scores"], metric)
            asked = f"{name} {metric.comparison} {wanted:g} was asked"
            reached = f"the best of network, linear model and trees reaches {best:.4g}"
            return Finding("hopeless", f"{asked} and {reached}: these data cannot do it", {})
    return None


def _distance(scores: Mapping[str, Any], name: str, threshold: float) -> bool:
    skills = measure(scores, name)
    wanted = measure({**scores, "metrics": {name: {"value": threshold}}}, name).network
    return wanted - skills.best > max(skills.spread, 3 * skills.noise, 0.005)


def _best_value(scores: Mapping[str, Any], metric: metrics.Metric) -> float:
    values = [_value(scores["metrics"], metric.name)]
    values += [_value(scores["baselines"][name], metric.name) for name in ("linear", "trees")]
    return max(values) if metric.higher_is_better else min(values)


def _over_fit(context: Mapping[str, Any], skills: Skills) -> Finding | None:
    gap = skills.train - skills.network
    learned = skills.train >= LEARNED and gap > 0
    if not learned and gap <= max(GAP, 2 * skills.noise):
        return None
    network, settings, rows = context["architecture"], context["training"], _train_rows(context)
    told = f"training rows score {skills.train:.2f} and unseen ones {skills.network:.2f} (0 naive, 1 perfect)"
    if rows < STILL_FEW_ROWS and network["dropout"] >= 0.45 and settings["weight_decay"] >= 0.3:
        return Finding(
            "too_little_data",
            f"{told} in spite of strong regularisation: {rows} training rows are too few",
            {},
        )
    change: dict[str, Any] = {
        "dropout": min(0.6, max(0.2, network["dropout"] + 0.15)),
        "weight_decay": min(1.0, max(0.05, 3 * settings["weight_decay"])),
    }
    if int(context.get("attempt") or 1) > 1:
        change["width"] = max(32, network["width"] // 2)
    return Finding("over_fit", told, change)


def _under_fit(context: Mapping[str, Any], skills: Skills) -> Finding:
    network, settings, train = context["architecture"], context["training"], context["train"]
    change: dict[str, Any] = {
        "width": min(512, 2 * network["width"]),
        "depth": min(5, network["depth"] + 1),
        "dropout": round(network["dropout"] / 2, 4),
        "weight_decay": round(settings["weight_decay"] * 0.3, 6),
        "label_smoothing": 0.0,
        "rate": settings["rate"] * 1.5,
    }
    asked = (context.get("request") or {}).get("epochs")
    ended = train.get("stopped") == "schedule"
    if ended and not asked:
        change["epochs"] = 2 * settings["epochs"]
    numbers = network["inputs"]["numbers"]
    if skills.trees - skills.network > skills.noise and 0 < numbers <= WIDE:
        change["number_embedding"] = "piecewise"
    told = f"training rows score {skills.train:.2f} and unseen ones {skills.network:.2f} (0 naive, 1 perfect)"
    other = max(skills.linear, skills.trees)
    told = f"{told}, a baseline {other:.2f}" if other > skills.network else told
    short = f"; training ended after the {asked} asked for (--epochs), more would be tried without" if asked else ""
    return Finding("under_fit", told + (short if ended else ""), change)


def _effective(change: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The changes within limits that differ from what the attempt had."""
    had = {**context["architecture"], **context["training"]}
    limited = {name: value if isinstance(value, str) else within(name, value) for name, value in change.items()}
    return {name: value for name, value in limited.items() if value != had.get(name)}


def _train_rows(context: Mapping[str, Any]) -> int:
    scores = context["scores"]
    measured = scores["train_metrics"][_comparable(scores)]
    rows = (measured.get("provenance") or {}).get("rows")
    if rows:
        return int(rows)
    train, validation, _ = context["dataset"]["split"]["fractions"]
    return round(scores["rows"] * train / validation) if validation else int(scores["rows"])


def _value(values: Mapping[str, Any], name: str) -> float:
    return float(values[name]["value"])


def _told(change: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in change.items()
    )
