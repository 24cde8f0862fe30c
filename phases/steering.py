"""What a person may tell a run that trains: the order, its record in `neural/<run>/steering`, and the words for it.

It checks an order by itself; whether the run can obey it is the steering service's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents import metrics
from memory.errors import UsageError

KEY = "steering"
MOST_NOTE = 600
LIMITS = {
    "rate": "a factor from 0.01 to 100: 0.5 halves the learning rate",
    "epochs": "a whole number from 1 to 100000",
    "note": f"at most {MOST_NOTE} characters",
    "metric": "the name of a metric of the run's task",
    "stop_early": "true or false",
}
TO_THE_JOB = ("stop_early", "rate", "epochs", "metric")


class SteerOrder(BaseModel):
    """One order; what is absent stays as it is.

    Attributes:
        stop_early: End training after the running epoch, with the best weights.
        rate: Factor on the learning rate as it is then; two orders of 0.5 make a quarter.
        epochs: The new most; below what is trained it ends training after the running epoch.
        metric: Choose the best epoch by this metric from now on, beginning with the best so far.
        note: A remark for the record; it changes nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stop_early: bool = False
    rate: Annotated[float, Field(ge=0.01, le=100.0)] | None = None
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    metric: str | None = None
    note: Annotated[str, Field(max_length=MOST_NOTE)] | None = None

    @classmethod
    def said(cls, **values: Any) -> SteerOrder:
        """The order as a person or a model said it.

        Raises:
            UsageError: nothing was ordered, a value is out of its range, or no metric is called that.
        """
        try:
            order = cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            known = ", ".join(cls.model_fields)
            raise UsageError(
                f"{name} {first['input']!r} cannot be ordered: {first['msg']}",
                code="usage.steer",
                field=name or None,
                fix=LIMITS.get(name, f"an order has: {known}"),
            ) from error
        if not order.changes and not (order.note or "").strip():
            raise UsageError(
                "nothing is ordered",
                code="usage.missing",
                field="order",
                fix="give at least one of: stop early, a rate factor, epochs, a metric, a note",
            )
        if order.metric is not None:
            return order.model_copy(update={"metric": metrics.named(order.metric).name})
        return order

    @property
    def changes(self) -> dict[str, Any]:
        """What it changes in the training; nothing for a note."""
        found = self.model_dump(exclude_none=True, exclude={"note"})
        return {name: value for name, value in found.items() if value is not False}


def orders_for(steering: Sequence[Mapping[str, Any]], job: str) -> list[dict[str, Any]]:
    """The recorded orders to one job, in the order in which they were given, as its back-channel carries them."""
    return [
        {"id": record["id"], **{name: record[name] for name in TO_THE_JOB if name in record}}
        for record in steering
        if record.get("job") == job
    ]


def words(record: Mapping[str, Any]) -> str:
    """What an order changes, in words: of a recorded order, or of the job's record that it was obeyed."""
    parts = []
    if record.get("stop_early"):
        parts.append("stop early")
    if "rate" in record:
        parts.append(f"learning rate × {record['rate']:g}")
    if "epochs" in record:
        parts.append(f"at most {record['epochs']} epochs")
    if "metric" in record:
        parts.append(f"best epoch chosen by {record['metric']}")
    return ", ".join(parts) or "nothing that could be changed"
