"""The rule of `ArchitectureDesign`: network and training from rows, columns and classes, and how measuring
changes it.

It starts from the training code's recommended values and changes what these data demand. It builds and trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.decisions.architecture_design import ArchitectureDesign, within
from agents.reasoners.rules.wording import one_line
from gpu_jobs.models.defaults import SMALL_ROWS, recommended_architecture, recommended_training
from gpu_jobs.training.settings import TrainSettings

WIDE = 200
"""Above so many number inputs a piecewise code of each costs more than it tells."""
SEVERAL = 50
"""Above so many the codes are coarser."""
MANY_CLASSES = 50
HEAVIEST = 20.0
"""A class weighs at most so many times the lightest: a handful of rows must not rule the gradient."""
RATE_UP, RATE_DOWN = 2.0, 4.0
"""The range test may move the designed rate up and down by these factors, no further."""
BUDGET_GUARD = 1.25
"""The clock stops training only past the budget by this factor: epochs are what keeps it (and what a re-run
repeats).
"""


def decide(context: Mapping[str, Any]) -> ArchitectureDesign:
    """The network and its training.

    Args:
        context: `request`, `dataset`, `prepare` (rows, inputs, classes), and where there are:
            `class_weights` (of the task plan), `cluster` (workers, device), `diagnosis` with `previous`
            (`architecture`, `training`), `recipe` (an earlier design).
    """
    rows, source = int(context["prepare"]["rows"]["train"]), "designed from the table"
    notes: list[str] = []
    architecture, training = _architecture(context, rows), _training(context, rows)
    if recipe := context.get("recipe"):
        source, notes = _take_recipe(recipe, architecture, training)
    diagnosis, previous = context.get("diagnosis"), context.get("previous")
    if diagnosis and previous:
        source = f"changed after {diagnosis['kind']}: {_told(diagnosis['change'])}"
        _take(previous["architecture"], architecture, architecture)
        _take(previous["training"], training, training)
        _take(diagnosis["change"], architecture, architecture)
        _take(diagnosis["change"], training, training)
    _take_request(context, training)
    inputs = architecture["inputs"]
    size = f"{rows} rows, {inputs['numbers']} numbers and {len(inputs['categories'])} categories"
    shape = f"{architecture['members']} members of {architecture['depth']} x {architecture['width']}"
    regular = f"dropout {architecture['dropout']:g}, decay {training['weight_decay']:g}"
    plan = f"batch {training['batch']}, up to {training['epochs']} {'epoch' if training['epochs'] == 1 else 'epochs'}"
    return ArchitectureDesign(
        reason=one_line([f"{shape} for {size}", f"{source}, {regular}, {plan}", *notes]),
        evidence={"rows": rows, "inputs": inputs, "outputs": architecture["outputs"], "source": source},
        architecture=architecture,
        training=training,
        notes=tuple(notes),
    )


def with_measured(training: Mapping[str, Any], preflight: Mapping[str, Any]) -> dict[str, Any]:
    """The training settings with what was measured on the first batches: `rate`, `threads`,
    `epochs_for_budget`.

    The measured rate is taken within a factor of the designed one (twice, a quarter), so that a diagnosis
    that lowers it is not undone by the next range test. A budget only ever shortens. Nothing measured
    changes nothing.
    """
    merged = dict(training)
    rate, threads, epochs = (preflight.get(name) for name in ("rate", "threads", "epochs_for_budget"))
    if rate is not None:
        designed = float(training["rate"])
        merged["rate"] = within("rate", min(max(float(rate), designed / RATE_DOWN), designed * RATE_UP))
    if threads is not None:
        merged["threads"] = within("threads", int(threads))
    if epochs is not None:
        merged["epochs"] = within("epochs", min(int(training["epochs"]), int(epochs)))
    return merged


def _architecture(context: Mapping[str, Any], rows: int) -> dict[str, Any]:
    dataset, inputs = context["dataset"], context["prepare"]["inputs"]
    task, numbers = dataset["task"], int(inputs["numbers"])
    categories = tuple(int(levels) for levels in inputs.get("categories") or ())
    outputs = 1 if task == "regression" else len(dataset["labels"])
    found = recommended_architecture(task, rows, numbers, categories, outputs)
    found["embedding_size"] = _embedding(categories)
    if not 0 < numbers <= WIDE:
        found["number_embedding"] = "none"
    elif numbers > SEVERAL:
        found["bins"] = min(found["bins"], 64)
    if outputs > MANY_CLASSES or (numbers > WIDE and rows >= SMALL_ROWS):
        found["width"] = 2 * found["width"]
    return found


def _embedding(categories: tuple[int, ...]) -> int:
    """Learned values per category: grows slowly with the widest column's levels (about 1.6 n^0.56)."""
    return int(min(max(round(1.6 * max(categories, default=2) ** 0.56), 4), 32))


def _training(context: Mapping[str, Any], rows: int) -> dict[str, Any]:
    metric = context["dataset"]["metric"]
    found = TrainSettings(**recommended_training(context["dataset"]["task"], rows)).as_dict()
    if metric in ("log_loss", "ece"):
        found["label_smoothing"] = 0.0
    if metric == "mae":
        found["loss"] = "huber"
    found["class_weights"] = _class_weights(context)
    return found


def _class_weights(context: Mapping[str, Any]) -> list[float] | None:
    """Loss weights in label order, mean 1 over the training rows; None when the plan asks for none.

    Inverse frequency for balanced accuracy, where each class counts the same; its square root for the
    others, which also punish the false alarms that full weights bring.
    """
    if not context.get("class_weights"):
        return None
    dataset = context["dataset"]
    counts = {str(label): int(train) for label, train, *_ in context["prepare"]["classes"]}
    seen = [max(counts.get(label, 0), 1) for label in dataset["labels"]]
    power = 1.0 if dataset["metric"] == "balanced_accuracy" else 0.5
    raw = [(sum(seen) / count) ** power for count in seen]
    capped = [min(weight, HEAVIEST * min(raw)) for weight in raw]
    mean = sum(weight * count for weight, count in zip(capped, seen, strict=True)) / sum(seen)
    return [round(weight / mean, 6) for weight in capped]


def _take_recipe(
    recipe: Mapping[str, Any], architecture: dict[str, Any], training: dict[str, Any]
) -> tuple[str, list[str]]:
    """Take an earlier design over where it fits these data; what does not is named with the reason."""
    earlier = recipe["architecture"]
    if earlier["task"] != architecture["task"]:
        why = f"the recipe is for a {earlier['task']} task and this is {architecture['task']}: designed anew"
        return "designed from the table", [why]
    notes = []
    if earlier["inputs"] != architecture["inputs"] or earlier["outputs"] != architecture["outputs"]:
        notes.append("the recipe's input and output sizes do not fit these data: taken from the data")
    own = {"kind", "inputs", "outputs", "task"}
    _take({name: value for name, value in earlier.items() if name not in own}, architecture, architecture)
    kept = {name: value for name, value in recipe["training"].items() if name not in MACHINE_BOUND}
    _take(kept, training, training)
    return "from the recipe", notes


MACHINE_BOUND = frozenset(
    {"seed", "workers", "device", "mixed_precision", "threads", "class_weights", "budget_seconds"}
)


def _take_request(context: Mapping[str, Any], training: dict[str, Any]) -> None:
    request, cluster = context["request"], context.get("cluster") or {}
    device = str(cluster.get("device") or "cpu")
    training["seed"] = int(request.get("seed") or 0)
    training["workers"] = int(cluster.get("workers") or request.get("workers") or 1)
    training["device"], training["mixed_precision"] = device, device.startswith("cuda")
    if request.get("epochs"):
        training["epochs"] = within("epochs", int(request["epochs"]))
    if request.get("budget_seconds"):
        training["budget_seconds"] = within("budget_seconds", float(request["budget_seconds"]) * BUDGET_GUARD)


def _take(source: Mapping[str, Any], target: dict[str, Any], names: Mapping[str, Any]) -> None:
    """Copy the entries of `source` named in `names` into `target`."""
    target.update({name: value for name, value in source.items() if name in names and value is not None})


def _told(change: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in change.items()
    )
