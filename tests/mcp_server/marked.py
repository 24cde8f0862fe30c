"""A table in which every cell is unlikely and its own, and a search for them in bytes. Class names are no cells."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = 240
CLASSES = ("stays", "leaves")
TOWNS = ("Quuxholm", "Zweebork", "Vlimstad", "Ozzgrund")


@dataclass(frozen=True)
class Marked:
    """The cells, each as it is written in the file.

    Attributes:
        own: Cells that occur once: numbers, codes, mail addresses, remarks.
        categories: Cells that occur often; from `aggregates` on they may be told.
    """

    own: frozenset[str]
    categories: frozenset[str]

    def found_in(self, said: bytes, *, categories: bool) -> list[str]:
        """The cells that are in these bytes."""
        wanted = self.own | self.categories if categories else self.own
        return sorted(cell for cell in wanted if cell.encode() in said)


def written(folder: Path, name: str = "marked.csv", number: int = 11) -> Marked:
    """Write the table; its target can be learned from `amount`."""
    draw = random.Random(number)
    own: set[str] = set()
    lines = ["member,mail,amount,weight,town,remark,outcome"]
    for row in range(ROWS):
        mark = f"{number}{row:03d}{draw.randrange(10**6):06d}"
        amount = f"{draw.randint(10_000, 99_999)}.{draw.randrange(10**5):05d}7"
        weight = f"{draw.randint(100, 999)}.{draw.randrange(10**6):06d}3"
        remark = f"said zq{mark} on the telephone"
        cells = [f"MBR-{mark}", f"u{mark}@zq-mail.invalid", amount, weight, draw.choice(TOWNS), remark]
        leaves = (float(amount) > 55_000) != (draw.random() < 0.05)
        lines.append(",".join([*cells, CLASSES[leaves]]))
        own.update([cells[0], cells[1], amount, weight, f"zq{mark}"])
    (folder / name).write_text("\n".join(lines) + "\n")
    return Marked(frozenset(own), frozenset(TOWNS))


def broken(folder: Path) -> set[str]:
    """Write tables that cannot be read or learned from, whose messages may quote cells; those cells."""
    cells = {f"brk{number}zq{kind}" for number in range(40) for kind in "abcd"}
    rows = sorted(cells)
    ragged = ["a,b,outcome", *(f"{one},1,{CLASSES[n % 2]}" for n, one in enumerate(rows[:60])), f"{rows[60]},1,2,3,4,5"]
    (folder / "ragged.csv").write_text("\n".join(ragged) + "\n")
    many = ["a,outcome", *(f"{n},{one}" for n, one in enumerate(rows))]
    (folder / "classes.csv").write_text("\n".join(many) + "\n")
    mixed = ["a,outcome", *(f"{n if n % 9 else rows[n]},{CLASSES[n % 2]}" for n in range(100))]
    (folder / "mixed.csv").write_text("\n".join(mixed) + "\n")
    (folder / "bytes.csv").write_bytes(b"a,outcome\n" + rows[64].encode() + b"\xff\xfe\x00,yes\n" * 30)
    return cells


def opened(said: bytes) -> bytes:
    """What was said, followed by what is inside its base64 parts."""
    parts = [said]
    for line in said.splitlines():
        parts += [base64.b64decode(text) for text in _encoded(json.loads(line))]
    return b"\n".join(parts)


def _encoded(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _encoded(one)]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("blob", "data") if isinstance(value.get(key), str) and "mimeType" in value]
    return [*own, *(text for one in value.values() for text in _encoded(one))]
