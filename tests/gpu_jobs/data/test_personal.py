"""Which columns hold personal data, by name and by what the cells look like; and what is told of each column."""

from __future__ import annotations

import random

import polars as pl
import pytest

from gpu_jobs.data.columns import facts, stored, typed
from gpu_jobs.data.describe import SHARED, describe
from gpu_jobs.data.personal import personal
from gpu_jobs.data.personal_names import kind_of_name

DRAW = random.Random(2)
CELLS: dict[str, list[str]] = {
    "mail": [f"person{i}@mail.example" for i in range(60)],
    "phone": [f"+49 {DRAW.randint(100, 999)} {DRAW.randint(100000, 999999)}" for _ in range(60)],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"] * 20,
    "ip": [f"10.{DRAW.randint(0, 255)}.{DRAW.randint(0, 255)}.{i}" for i in range(60)],
    "id": [f"K{DRAW.randint(10**6, 10**7)}X{i}" for i in range(60)],
}
HARMLESS: dict[str, list[str]] = {
    "price": [f"{DRAW.uniform(1, 900):.2f}" for _ in range(60)],
    "seconds": [str(DRAW.randint(10**8, 10**9)) for _ in range(60)],
    "day": [f"2024-0{DRAW.randint(1, 9)}-1{i % 10}" for i in range(60)],
    "moment": [f"2024-01-1{i % 10} 12:{i:02d}:00" for i in range(60)],
    "island": ["Dream", "Biscoe", "Torgersen"] * 20,
    "version": [f"{i % 9}.{i % 4}.{i % 3}" for i in range(60)],
    "note": [f"many words about case {i} and more" for i in range(60)],
    "mobile": ["yes", "no"] * 30,
}


def typed_table(columns: dict[str, list[str]]) -> tuple[pl.DataFrame, list[dict[str, object]]]:
    frame, told = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)), []
    for name in frame.columns:
        found = typed(frame[name], frozenset(), False)
        values = stored(found)
        frame = frame.with_columns(values)
        told.append(facts(found, values))
    return frame, told


@pytest.mark.parametrize("kind", CELLS)
def test_cells_tell_the_kind_under_a_name_that_says_nothing(kind: str) -> None:
    assert personal(*typed_table({"x": CELLS[kind]})) == {"x": kind}


def test_harmless_columns_are_not_taken_for_personal() -> None:
    assert personal(*typed_table(HARMLESS)) == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("E-Mail", "mail"), ("customer_email", "mail"), ("emailAddress", "mail"), ("Phone Number", "phone"),
     ("telefon", "phone"), ("first_name", "name"), ("LastName", "name"), ("Nachname", "name"), ("name", "name"),
     ("ssn", "id"), ("CustomerID", "id"), ("passport_no", "id"), ("zip", "postal_code"), ("plz", "postal_code"),
     ("date_of_birth", "birth_date"), ("street", "address"), ("client_ip", "ip"), ("IBAN", "iban"),
     ("age", None), ("username_length", None), ("named", None), ("island", None), ("email_opened", None),
     ("shipping", None), ("tip", None), ("species", None), ("emails_sent_count", None), ("identity", None)],
)  # fmt: skip
def test_names_tell_the_kind(name: str, kind: str | None) -> None:
    assert kind_of_name(name) == kind


def test_a_name_counts_only_where_the_kind_of_the_cells_allows_it() -> None:
    frame, told = typed_table({"name": HARMLESS["price"], "mobile": HARMLESS["mobile"], "zip": HARMLESS["seconds"]})
    assert personal(frame, told) == {"zip": "postal_code"}


def test_a_number_that_is_named_as_an_identifier_is_one_and_a_count_of_rows_is_not() -> None:
    frame, told = typed_table({"order_id": [str(4711 + 3 * i) for i in range(60)], "step": [str(i) for i in range(60)]})
    assert personal(frame, told) == {"order_id": "id"}


def test_a_description_names_only_categories_that_several_rows_share_and_nothing_personal() -> None:
    towns = ["north"] * 30 + ["south"] * 25 + ["alone"] * (SHARED - 1) + [""] * 1
    frame, told = typed_table(
        {"town": towns, "who": CELLS["mail"], "price": HARMLESS["price"], "two": ["7.25", "9"] * 30}
    )
    town, who, price, two = describe(frame, told, {"who": "mail"})
    assert town["categories"] == [["north", 30], ["south", 25]] and town["others"] == SHARED
    assert (who["categories"], who["numbers"], who["personal"]) == ([], None, "mail")
    assert price["numbers"]["low"] <= price["numbers"]["median"] <= price["numbers"]["high"]
    assert two["numbers"] == {}, "of two different values every statistic would be a cell"


def test_booleans_are_told_by_their_texts() -> None:
    frame, told = typed_table({"left": ["yes"] * 20 + ["no"] * 40})
    assert describe(frame, told, {})[0]["categories"] == [["no", 40], ["yes", 20]]
