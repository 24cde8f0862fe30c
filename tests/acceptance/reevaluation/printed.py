"""Every number printed in report and card: tables row by row against verified figures, all other text number by number.

The drawings' own ticks are not read; their sentences are. A number in a sentence must be one that is known, printed at
its digits; small whole numbers can so be confused with one another, which the tables' strict comparison does not allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.acceptance.reevaluation.artifacts import Run, read
from tests.acceptance.reevaluation.checks import Check, numbers
from tests.acceptance.reevaluation.pages import Page, html_page, markdown_page
from tests.acceptance.reevaluation.scores import Document
from tests.acceptance.reevaluation.written import Known, digits, figure, title, unsourced

SAID = (0, 1, 2, 16, 32, 33, 50, 67, 95, 99, 100)  # the text's own: intervals, clients, batches, quantiles
YES_NO = {True: "yes", False: "no"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
Table = list[list[str]]


def check_printed(run: Run, memory: Document, check: Check) -> None:
    """The report in both forms, and the card."""
    known, names = Known(_known(run, memory)), list(_names(run, memory))
    reports = run.folder / "reports"
    pages = {
        "report.md": markdown_page((reports / "performance-report.md").read_text("utf-8")),
        "report.html": html_page((reports / "performance-report.html").read_text("utf-8")),
    }
    if run.published:
        pages["MODEL_CARD.md"] = markdown_page((run.folder / "models" / "MODEL_CARD.md").read_text("utf-8"))
    for name, page in pages.items():
        _check_tables(name, page, run, memory, check)
        for section in [one for one in page.tables if one.startswith("Where the figures")]:
            page.tables[section] = [row[1:] for row in page.tables[section]]  # the sources' own numbering
        text = "\n".join([*page.prose, *(cell for rows in page.tables.values() for row in rows for cell in row)])
        text = _without_times(name, text, memory, check)
        for printed in unsourced(text, names, known):
            check.true(f"{name}: {printed} has no source", False)
        check.compared += len(text.split())
    _check_values(pages["report.html"], memory, check)
    if run.published:
        check.true("the card has another number of tables", "How well it does" in pages["MODEL_CARD.md"].tables)


def _without_times(name: str, text: str, memory: Document, check: Check) -> str:
    """The text without its times, each of which lies within the run."""
    state = memory["state"]
    for found in _TIME.findall(text):
        inside = state["created_at"][:19] <= found.replace(" ", "T") <= state["updated_at"][:19]
        check.true(f"{name}: {found} is not within the run", inside)
    return _TIME.sub(" ", text)


def _check_values(page: Page, memory: Document, check: Check) -> None:
    """Figures of the page that carry their exact value; and the widths of the importance bars."""
    exact = set(numbers(memory))
    for value, shown in page.values:
        check.true(f"report.html: the value {value} has no source", float(value) in exact)
        check.true(f"report.html: {value} is shown as {shown!r}", shown.split()[0] in _forms(float(value)))
    drops = [row["drop"]["value"] for row in memory["candidate-scores"]["importance"][:20]]
    largest = max((abs(drop) for drop in drops), default=0.0) or 1.0
    widths = [f"{100 * max(drop, 0) / largest:.1f}" for drop in drops]
    check.true(f"report.html: bars {page.widths}, expected {widths}", page.widths == widths)


def _forms(value: float) -> set[str]:
    units = ("fraction", "target", "ms", "bytes", "MB", "relative")
    return {digits(value, unit) for unit in units}


def _check_tables(name: str, page: Page, run: Run, memory: Document, check: Check) -> None:
    """Each section's table, row by row; a section that is expected must be there."""
    card = name == "MODEL_CARD.md"
    expected = _card_tables(memory) if card else _report_tables(run, memory)
    for beginning, rows in expected.items():
        sections = [section for section in page.tables if section.startswith(beginning)]
        check.true(f"{name}: {len(sections)} sections {beginning!r}", len(sections) == 1)
        for section in sections:
            _check_rows(f"{name} {beginning}", page.tables[section], rows, check)


def _check_rows(what: str, found: Table, expected: Table, check: Check) -> None:
    """Every expected row stands there under its label with these figures, in order; and no further row with digits."""
    bodies = [[cell for cell in row if cell] for row in found]
    for row in expected:
        check.true(f"{what}: no row {row}", any(_fits(body, row) for body in bodies))
    figured = [body for body in bodies if any(cell[:1].isdigit() or cell[:2].strip("-").isdigit() for cell in body[1:])]
    check.true(
        f"{what}: {len(figured)} rows with numbers, expected at most {len(expected)}", len(figured) <= len(expected)
    )


def _fits(body: list[str], row: list[str]) -> bool:
    """Whether the label stands first (or second, after its phase), and the figures after it, side by side."""
    for place in (0, 1):
        if len(body) > place and body[place].startswith(row[0]):
            rest, wanted = body[place + 1 :], row[1:]
            return any(rest[i : i + len(wanted)] == wanted for i in range(len(rest) - len(wanted) + 1))
    return False


def _card_tables(memory: Document) -> dict[str, Table]:
    metrics = memory["validation"]["metrics"]
    return {"How well it does": [[title(name), figure(one)] for name, one in metrics.items()]}


def _report_tables(run: Run, memory: Document) -> dict[str, Table]:
    """Tables by the beginning of their section's heading."""
    test, evaluate = memory["validation"], memory["candidate-scores"]
    compared = [name for name in test["metrics"] if all(name in one for one in test["baselines"].values())]
    compared = sorted(compared, key=lambda name: name != test["metric"])[:5]
    models = {"this model": test["metrics"]} | {title(name): one for name, one in test["baselines"].items()}
    found = {
        "Gates": list(_gates(memory)),
        "Quality": [
            [
                title(name),
                figure(one),
                *([figure(test["train_metrics"][name])] if name in test["train_metrics"] else []),
            ]
            for name, one in test["metrics"].items()
        ],
        "Beside simpler models": [
            [title(name) for name in compared],
            *([name, *(figure(one[metric]) for metric in compared)] for name, one in models.items()),
        ],
        "What the model looks at": [[row["column"], figure(row["drop"])] for row in evaluate["importance"][:20]],
        "The generated server": [[title(name), figure(one)] for name, one in _serving(memory["benchmark-results"])],
        "Attempts": [[str(one["attempt"]), figure(one["score"])] for one in memory["attempts"]],
    }
    if test["per_class"] is not None:
        names = ("precision", "recall", "f1")
        found["Per class"] = [
            [row["label"], *(figure(row[name]) for name in names), str(row["rows"])] for row in test["per_class"]
        ]
    if test["robustness"] is not None:
        noise = test["robustness"]["noise"]
        found["When the inputs get worse"] = [
            *([["noise on every number", figure(noise)]] if noise else []),
            *([f"missing: {row['column']}", figure(row["drop"])] for row in test["robustness"]["missing"]),
        ]
    return found


def _gates(memory: Document) -> Iterator[list[str]]:
    """Gate rows: name, measured, needed; Markdown puts the phase before, which is looked past."""
    for place in range(1, 6):
        for row in memory.get(f"phase{place}-complete", {"gate": ()})["gate"]:
            measured, limit = row["measured"], row["threshold"]
            said = (
                figure(measured) if isinstance(measured, dict) else {True: "yes", False: "no"}.get(measured, measured)
            )
            needed = {True: "yes", False: "no"}[limit] if isinstance(limit, bool) else limit
            needed = f"{needed + 0.0:g}" if isinstance(needed, int | float) else needed
            sign = {">=": "≥ ", "<=": "≤ ", "is": ""}.get(row["comparison"], f"{row['comparison']} ")
            yield [row["name"], said, f"{sign}{needed}"]


def _serving(benchmark: Document) -> Iterator[tuple[str, Any]]:
    for name, one in benchmark.items():
        if isinstance(one, dict) and "provenance" in one:
            yield name, one
    yield "batch32_p95_ms", benchmark["batch32"]["latency_p95_ms"]
    yield "rows_per_second", benchmark["batch32"]["rows_per_second"]


def _known(run: Run, memory: Document) -> Iterator[float]:
    """Every number that may be printed: what is verified elsewhere, and what sentences derive from it."""
    yield from numbers(memory)
    yield from numbers([read(path) for path in run.folder.glob("jobs/*/result.json")])
    yield from numbers([read(path) for path in run.folder.glob("attempts/*/configs/*.json")])
    yield from map(float, SAID)
    yield from (float(len(rows)) for rows in run.splits.values())
    yield float(len(memory["artifacts"]["sha256"]))
    yield float(min(64, len(read(run.folder / "tests" / "validation_rows.json")["rows"])))
    gates = [memory[key]["gate"] for key in (f"phase{place}-complete" for place in range(1, 6)) if key in memory]
    checks = [row for gate in gates for row in gate]
    yield from map(float, (len(checks), len(gates[-1]), len(run.fields), run.frame.width))
    for row in checks:
        if isinstance(row["measured"], dict):
            yield row["measured"]["provenance"]["load"]
    yield from _drawn(run, memory)


def _drawn(run: Run, memory: Document) -> Iterator[float]:
    """What the sentences beside drawings say: first, last, largest and lowest of the history; counts and averages."""
    epochs = read(run.attempt / "history.json")["epochs"]
    for name in ("train_loss", "validation_loss", "rate"):
        series = [row[name] for row in epochs if row[name] is not None]
        yield from (series[0], series[-1], max(series), min(series))
    test = memory["validation"]
    if test["confusion"] is not None:
        matrix = np.array(test["confusion"]["matrix"])
        yield from (float(np.trace(matrix)), float((matrix - np.diag(np.diag(matrix))).max()))
    if test["residuals"] is not None:
        points = np.array(test["residuals"]["points"])
        yield from (float(len(points)), float(np.corrcoef(points.T)[0, 1]))


def _names(run: Run, memory: Document) -> Iterator[str]:
    """Texts that hold digits and are no numbers: hashes, times, paths, versions, names of columns and labels."""
    request, data = memory["request"], memory["dataset"]["sha256"]
    yield from (run.folder.name, str(run.folder), data, data[:12], request["data"], request["code_version"])
    if run.published:
        yield from (memory["model-view"]["name"], memory["model-view"]["version"])
        yield from read(run.folder / "models" / "model-metadata.json")["versions"].values()
    yield request["goal"] or ""
    yield from (str(value) for value in memory["environment"].values() if isinstance(value, str))
    yield from run.facts
    yield from run.labels or ()
    yield from (level for field in run.preprocessing["fields"] for level in field.get("levels") or ())
    yield from (f"node-{place}" for place in range(len(memory["nodes-deployed"])))
    for record in memory["decisions"]:
        yield record["key"]
    yield from (path.parent.name for path in run.folder.glob("jobs/*/result.json"))
