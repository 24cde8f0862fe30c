"""Reads a role's brief, the Markdown file shipped with this package. It does not think and calls no model."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from agents.decisions.base import Role
from memory.errors import UsageError

ROLES: tuple[str, ...] = get_args(Role)


class BriefLimits(BaseModel):
    """What a role may spend.

    Attributes:
        decision_seconds: Time for one decision before the rules decide instead.
        attempts: Most passes of configure, train and candidate check in a run.
        memory_mb: Memory of what the role runs by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision_seconds: int = Field(gt=0)
    attempts: int = Field(gt=0)
    memory_mb: int = Field(gt=0)


class Brief(BaseModel):
    """One role: its front matter, and its system prompt.

    Attributes:
        decisions: Names of the decision types this role makes.
        tools: What it may call.
        needs_approval: What it may prepare and a person must approve.
        prompt: The system prompt, Markdown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Role
    description: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    decisions: tuple[str, ...] = Field(min_length=1)
    tools: tuple[str, ...] = ()
    limits: BriefLimits
    needs_approval: tuple[str, ...] = ()
    prompt: str = Field(min_length=1)


def load_brief(role: str) -> Brief:
    """The brief of a role, by its name or an alias.

    Raises:
        UsageError: `usage.unknown_agent`, naming the roles and their aliases.
    """
    for brief in briefs():
        if role == brief.name or role in brief.aliases:
            return brief
    known = ", ".join(" = ".join((brief.name, *brief.aliases)) for brief in briefs())
    raise UsageError(
        f"unknown agent {role!r}; there are: {known}", code="usage.unknown_agent", fix=f"use one of: {known}"
    )


@cache
def briefs() -> tuple[Brief, ...]:
    """The briefs of all roles."""
    folder = resources.files("agents").joinpath("briefs")
    return tuple(parse(folder.joinpath(f"{role}.md").read_text("utf-8")) for role in ROLES)


def parse(text: str) -> Brief:
    """A brief from its Markdown: front matter between two lines `---`, then the prompt.

    Raises:
        ValueError: The front matter is absent, or is not of the small YAML subset of `front_matter`.
    """
    head, _, rest = text.partition("---\n")
    matter, closed, prompt = rest.partition("\n---\n")
    if head.strip() or not closed:
        raise ValueError("a brief opens with front matter between two lines '---'")
    return Brief(**front_matter(matter), prompt=prompt.strip())


def front_matter(text: str) -> dict[str, Any]:
    """Parse the YAML subset of briefs: `key: text`, `key: 12`, `key: [a, b]`, and one level of indented keys.

    Raises:
        ValueError: A line outside the subset.
    """
    found: dict[str, Any] = {}
    inner: dict[str, Any] | None = None
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        indented = line.startswith("  ")
        if not line.strip() or not colon or (indented and inner is None):
            raise ValueError(f"front matter line {line!r} is not 'key: value'")
        if indented:
            assert inner is not None  # by the check above
            inner[key.strip()] = _scalar(value.strip())
        elif value.strip():
            inner, found[key] = None, _value(value.strip())
        else:
            inner = found[key] = {}
    return found


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    return _scalar(text)


def _scalar(text: str) -> Any:
    return int(text) if text.isdigit() else text.strip('"')
