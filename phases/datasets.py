"""What a person is shown of datasets: frozen values that doors print. No raw cell stands in them.

A number is rounded to two significant digits, a category stands only where several rows share it, and columns with
personal data have neither.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SourceKind = Literal["path", "inline", "upload"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetView(_View):
    """A kept table.

    Attributes:
        name: Lower-case letters, digits and hyphens; a run takes it in place of a path.
        file: Where it is.
        bytes: Size of the file.
        sha256: Hash of the file.
        source: How it came: a file here, rows given in the call, or an upload.
        origin: The path it was copied from, or the id of the upload.
        added_at: ISO time in UTC.
        rows: How many rows, once it was profiled.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    source: SourceKind
    origin: str = ""
    added_at: str
    rows: int | None = None


class UploadView(_View):
    """An upload that goes on.

    Attributes:
        upload: Its id; `begin` with the same name, size and hash gives the same one.
        received: Bytes that are here.
        chunks: How many chunks are here.
        missing: Indexes below the highest one that are not here yet (the first hundred).
        largest_chunk: Bytes of one chunk at most, before base64.
    """

    upload: str
    name: str
    size: int
    received: int
    chunks: int
    missing: tuple[int, ...]
    largest_chunk: int


class NumbersView(_View):
    """A number's spread, each figure rounded to two significant digits."""

    mean: float | None = None
    std: float | None = None
    low: float | None = None
    q25: float | None = None
    median: float | None = None
    q75: float | None = None
    high: float | None = None


class CategoryView(_View):
    """A category that at least five rows share."""

    value: str
    rows: int


class ColumnView(_View):
    """One column.

    Attributes:
        kind: `number`, `category`, `boolean`, `date` or `text`.
        personal: The kind of personal data that it most likely holds, or None.
        numbers: For a number without personal data.
        categories: The most frequent ones, for a category or boolean without personal data.
        others: Rows whose category is not among them.
    """

    name: str
    kind: str
    missing_share: float
    distinct: int
    personal: str | None = None
    numbers: NumbersView | None = None
    categories: tuple[CategoryView, ...] = ()
    others: int = 0


class ClassView(_View):
    """One class of the target and its rows."""

    label: str
    rows: int


class DatasetProfile(_View):
    """What a table holds.

    Attributes:
        target: The target that was asked about, if one was; `task` and `classes` are about it.
        proposed_target: The column that looks most like one, and `reason` why.
        warnings: Leaks, duplicates, constant and empty columns, identifiers, personal data: one sentence each.
    """

    state: Literal["done"] = "done"
    name: str
    sha256: str
    rows: int
    columns: tuple[ColumnView, ...]
    target: str | None = None
    task: str | None = None
    proposed_target: str | None = None
    reason: str | None = None
    classes: tuple[ClassView, ...] = ()
    warnings: tuple[str, ...] = ()


class Profiling(_View):
    """The profile is not done yet; the same call goes on with it."""

    state: Literal["profiling"] = "profiling"
    name: str
    seconds: float
