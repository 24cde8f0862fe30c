"""What a person may answer to a question of a run, and what an answer means. It asks nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.metrics import nearest
from memory.errors import InputError

CANCEL = "cancel"


def check_answer(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Refuse what is no answer to the question.

    A `target` question takes `{"target": column}`, a `budget` question `{"choice": one of its choices}` or
    `{"approve": bool}` (its proposal, or cancel), every other one `{"approve": bool, "why": str | None}`.

    Raises:
        InputError: the answer is none of the choices, or no answer at all.
    """
    kind, choices = asked.get("kind"), list(asked.get("choices") or ())
    if kind == "target":
        if choices and answer.get("target") not in choices:
            raise InputError(
                f"there is no column {answer.get('target')!r}{nearest(str(answer.get('target')), choices)}",
                code="input.no_such_target",
                field="target",
                fix="name a column of the table: neuroloom approve RUN --target COLUMN",
            )
    elif kind == "budget" and "choice" in answer:
        if answer["choice"] not in choices:
            raise InputError(
                f"{answer['choice']!r} is no choice{nearest(str(answer['choice']), choices)}",
                code="input.no_such_choice",
                field="choice",
                fix=f"choose one of: {', '.join(choices)}",
            )
    elif not isinstance(answer.get("approve"), bool):
        raise InputError(
            f"{dict(answer)!r} is no answer to {asked.get('text')!r}",
            code="input.answer",
            field="choice" if kind == "budget" else "approve",
            fix=f"choose one of: {', '.join(choices)}" if choices else 'answer {"approve": true} or {"approve": false}',
        )


def chosen(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """The choice that an answer to a question with choices means: a yes takes the proposal, a no cancels."""
    if "choice" in answer:
        return str(answer["choice"])
    return str(asked["proposal"]) if answer.get("approve") else CANCEL


def ends_the_run(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether the answer is that the run shall end: it is cancelled then, and asks again when it is resumed."""
    if asked.get("kind") == "backend":
        return not answer.get("approve")
    return asked.get("kind") == "budget" and chosen(asked, answer) == CANCEL
