"""A deployed endpoint asked over HTTP, as its users ask it: predictions, health, metrics. Bounded in time."""

from __future__ import annotations

import asyncio
import json
import math
import urllib.error
import urllib.request
from typing import Any

from memory.errors import DeployError, InputError

TIMEOUT = 10.0


def _fetch(url: str, body: Any) -> bytes:
    data = None if body is None else json.dumps(body, allow_nan=False).encode()
    headers = {} if data is None else {"content-type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - our own loopback endpoint
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        return bytes(answer.read())


async def ask(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole answer of `POST /predict` for several rows: predictions, model, latency.

    Raises:
        InputError: the server refused a row, with its own words.
        DeployError: no answer.
    """
    try:
        json.dumps(rows, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "a row cannot be sent: a number in it is not finite, or it is nested too deep", code="input.row",
            field="rows", fix="give finite numbers, and null where a value is missing",
        ) from error  # fmt: skip
    try:
        return dict(json.loads(await asyncio.to_thread(_fetch, f"{url.rstrip('/')}/predict", {"rows": rows})))
    except urllib.error.HTTPError as refused:
        told = json.loads(refused.read() or b"{}").get("error") or {}
        raise InputError(
            told.get("message") or f"the server answered {refused.code}",
            code="input.row",
            field=told.get("field"),
            fix=told.get("expected"),
        ) from refused
    except OSError as error:
        raise DeployError(
            f"{url} does not answer: {error}", code="deploy.no_answer", fix="neuroloom deployments; neuroloom logs NAME"
        ) from error


async def predict(url: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The predictions of `ask`, one per row."""
    return list((await ask(url, rows))["predictions"])


async def answers(url: str, path: str) -> bool:
    """Whether `GET path` answers 200 with a body."""
    try:
        return bool(await asyncio.to_thread(_fetch, f"{url.rstrip('/')}{path}", None))
    except OSError:
        return False


def same(found: dict[str, Any], stored: dict[str, Any], tolerance: float = 1e-4) -> bool:
    """Whether an endpoint's prediction is the stored one: equal label, numbers within a relative `tolerance`."""
    if "value" in stored:
        return math.isclose(found["value"], stored["value"], rel_tol=tolerance, abs_tol=1e-6)
    close = all(
        math.isclose(found["probabilities"].get(label, -1.0), p, rel_tol=tolerance, abs_tol=1e-5)
        for label, p in stored["probabilities"].items()
    )
    ranked = sorted(stored["probabilities"].values(), reverse=True)
    tied = len(ranked) > 1 and ranked[0] - ranked[1] < 2e-5
    return close and (tied or str(found["label"]) == str(stored["label"]))
