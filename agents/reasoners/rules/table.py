"""What the rules of the task plan read: the request, the snapshot and the profile, as one value. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.metrics import nearest
from agents.reasoners.rules.wording import listed
from memory.errors import InputError


@dataclass(frozen=True)
class Table:
    """The measured facts of a table, and what the person asked.

    Attributes:
        request: The flags.
        columns: The snapshot's columns by name.
        profile: The profile job's result.
        rows: Rows of the main file and those beside it.
    """

    request: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, Any]]
    profile: Mapping[str, Any]
    rows: int

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Table:
        """From the context of a `TaskPlan`: `request`, `snapshot`, `profile`."""
        snapshot = context["snapshot"]
        return cls(
            request=context["request"],
            columns={column["name"]: column for column in snapshot["columns"]},
            profile=context.get("profile") or {},
            rows=int(snapshot["rows"]),
        )

    def known(self, name: str, flag: str) -> str:
        """`name` when it is a column.

        Raises:
            InputError: `input.no_such_column` (or `input.no_such_target`), with the nearest names.
        """
        if name in self.columns:
            return name
        what = "target" if flag == "target" else "column"
        raise InputError(
            f"no column {name!r} for --{flag}{nearest(name, self.columns)}; "
            f"the table has {listed(self.columns, most=12)}",
            code=f"input.no_such_{what}",
            field=flag,
            fix=f"give --{flag} one of the table's columns",
        )

    def asked(self, flag: str) -> tuple[str, ...]:
        """The columns that a list flag (`drop`, `features`) names, each known."""
        return tuple(self.known(name, flag) for name in self.request.get(flag) or ())

    def found(self, key: str) -> dict[str, Mapping[str, Any]]:
        """The profile's findings under `key` by column, whether it lists names or records."""
        entries = self.profile.get(key) or ()
        return {e if isinstance(e, str) else e["column"]: {} if isinstance(e, str) else e for e in entries}
