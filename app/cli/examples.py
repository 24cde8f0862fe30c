"""Keeps the example at the end of a command's help as it is written, line by line. It changes nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
NO_WRAPPING = "\b\n"  # click leaves a paragraph that begins with this as it is


def with_example(command: F) -> F:
    """Mark the docstring's `Example:` paragraph, so that click does not join its lines."""
    text = inspect.cleandoc(command.__doc__ or "")
    command.__doc__ = text.replace("\n\nExample:\n", f"\n\n{NO_WRAPPING}Example:\n")
    return command
