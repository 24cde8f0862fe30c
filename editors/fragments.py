"""What a configuration says with our fragment in it, and without it again, as plain values; the text is not its matter.

Objects are joined by key, lists by element. A value under one of the names in `WHOLE` is ours as a whole.
"""

from __future__ import annotations

from typing import Any

WHOLE = frozenset({"neuroloom", "neuroloom@neuroloom"})
_GONE = object()


class EditError(ValueError):
    """A file cannot be changed so that everything of its owner stays."""


def merged(found: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """Everything that was found, and the fragment.

    Raises:
        EditError: something of another shape stands where the fragment goes.
    """
    return {**found, **{key: _joined(key, found.get(key), ours) for key, ours in fragment.items()}}


def stripped(found: dict[str, Any], fragment: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What was found, without the fragment.

    What became empty with it goes too; plain values (`"version": 1`) stay.

    Args:
        found: What the file says now.
        fragment: What was merged into it.
        before: What it said before that: values of its owner under our names come back, and what was there stays.
    """
    result = dict(found)
    for key, ours in fragment.items():
        if key not in found:
            continue
        left = _left(key, found[key], ours, before)
        if left is _GONE:
            del result[key]
        else:
            result[key] = left
    return result


def _joined(key: str, found: Any, ours: Any) -> Any:
    if key in WHOLE or not isinstance(ours, dict | list) or found in (None, "", [], {}):
        return ours
    if isinstance(found, dict) and isinstance(ours, dict):
        return merged(found, ours)
    if isinstance(found, list) and isinstance(ours, list):
        return [*found, *(one for one in ours if one not in found)]
    raise EditError(f"{key!r} is no {'object' if isinstance(ours, dict) else 'list'} in it")


def _left(key: str, found: Any, ours: Any, before: dict[str, Any]) -> Any:
    was = before.get(key)
    if key in WHOLE:
        return before.get(key, _GONE)
    if isinstance(found, dict) and isinstance(ours, dict):
        left: Any = stripped(found, ours, was if isinstance(was, dict) else {})
    elif isinstance(found, list) and isinstance(ours, list):
        kept = was if isinstance(was, list) else []
        left = [one for one in found if one not in ours or one in kept]
    else:
        return was if key in before and found == ours else found
    if left:
        return left
    return _GONE if key not in before else left if was else was
