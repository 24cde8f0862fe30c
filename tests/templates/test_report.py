"""The report: only measured figures, each with its source; one file that needs nothing else; no text that acts."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from templates import figures, render
from templates.report.context import Baseline, Check, Plot, ReportContext
from templates.report.svg import inline
from tests.templates.measured import measured
from tests.templates.report_cases import PASSED, REJECTED, SVG

HTML = render("report.html", PASSED)
ASSERTED = {"value": 0.99, "provenance": {"kind": "asserted", "by": "chat", "at": "2026-11-21T09:00:00Z"}}


@pytest.mark.parametrize("claim", [0.99, 1, "0.99", {"value": 0.99, "unit": "fraction"}, ASSERTED])
def test_a_metric_without_provenance_is_refused_by_the_context(claim: object) -> None:
    document = {name: getattr(PASSED, name) for name in ReportContext.model_fields}
    for field in ("metrics", "train_metrics", "serving"):
        with pytest.raises(ValidationError):
            ReportContext.model_validate(document | {field: {"accuracy": claim}})
    with pytest.raises(ValidationError):
        Check.model_validate({"phase": "validate", "name": "x", "measured": claim, "passed": True})


@pytest.mark.parametrize("claim", [0.99, 1, "0.99", ASSERTED, None])
def test_a_metric_without_provenance_is_refused_by_the_renderer(claim: object) -> None:
    broken = PASSED.model_copy(update={"metrics": {"accuracy": claim}, "baselines": ()})
    for artefact in ("report.html", "report.md"):
        with pytest.raises(TypeError, match="not a Measurement"):
            render(artefact, broken)


def test_every_figure_carries_its_full_value_and_leads_to_its_source() -> None:
    shown = re.findall(r'<data class="figure" value="([^"]+)" title="([^"]+)">', HTML)
    references = re.findall(r'class="ref" href="#source-(\d+)"', HTML)
    assert len(shown) == len(references) > 20
    sources = set(re.findall(r'<tr id="source-(\d+)">', HTML))
    assert set(references) == sources
    assert {float(value) for value, _ in shown} >= {0.9565, 0.43, 9252.3, 21862.0, -0.03}
    assert all("job " in title and "load " in title for _, title in shown)


def test_every_figure_of_the_markdown_report_leads_to_its_source() -> None:
    text = render("report.md", PASSED)
    body, _, end = text.partition("## Where the figures come from")
    assert set(re.findall(r"\[\^(\d+)\]", body)) == set(re.findall(r"^\[\^(\d+)\]: ", end, re.MULTILINE))
    for line in body.splitlines():
        if line.startswith("| ") and re.search(r"\d\.\d{3,}", line):
            assert "[^" in line


@pytest.mark.parametrize("context", [PASSED, REJECTED], ids=["passed", "rejected"])
def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing(context: ReportContext) -> None:
    page = render("report.html", context)
    assert "<script" not in page.lower()
    assert not re.search(r'\b(?:src|action|formaction|on\w+)\s*=\s*["\']', page.replace(" at 0x", ""))
    assert set(re.findall(r'href="([^"]*)"', page)) <= {f"#source-{i}" for i in range(1, 30)} | set(
        re.findall(r'href="(#f[0-9a-f]{8}-[^"]*)"', page)
    )
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page and "max-width: 40rem" in page
    assert page.count("<h1") == 1 and 'name="viewport"' in page


def test_text_from_a_file_is_shown_and_never_markup() -> None:
    page, text = render("report.html", REJECTED), render("report.md", REJECTED)
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert "<script>" not in re.sub(r"`+[^\n]*?`+", "", text)
    assert "[a](http" not in re.sub(r"`` .*? ``", "", text)


def test_the_verdict_says_what_failed() -> None:
    page = render("report.html", REJECTED)
    assert 'class="verdict rejected"' in page and 'class="mark failed"' in page
    assert 'class="verdict passed"' in HTML and 'class="mark missed"' in HTML


def test_a_threshold_of_minus_zero_is_written_as_zero() -> None:
    check = Check(phase="validate", name="not_worse_than_trees", comparison=">=", threshold=-0.0, passed=True)
    assert check.needs == "≥ 0"


@pytest.mark.parametrize(
    ("interval", "outcome", "sentence"),
    [
        ((0.01, 0.05), "behind", "Better than a linear model"),
        ((-0.05, -0.01), "ahead", "Worse than a linear model"),
        ((-0.02, 0.03), "level", "No clear difference from a linear model"),
    ],
)
def test_a_baseline_that_wins_is_said_in_plain_words(
    interval: tuple[float, float], outcome: str, sentence: str
) -> None:
    baseline = Baseline(
        name="linear", metrics=PASSED.metrics, difference=measured(sum(interval) / 2, interval=interval)
    )
    assert baseline.outcome == outcome
    context = PASSED.model_copy(update={"baselines": (baseline,)})
    assert sentence in re.sub(r"<[^>]+>", "", render("report.html", context))
    assert sentence in render("report.md", context).replace("*", "")


def test_a_figure_is_written_in_its_unit() -> None:
    said = {unit: figures.written(value, unit) for unit, value in {"fraction": 0.97334, "ms": 0.4123}.items()}
    assert said == {"fraction": "0.9733", "ms": "0.412 ms"}
    assert figures.written(21862, "bytes") == "21,862 bytes"
    assert figures.written(1.5, "parsecs") == "1.5 parsecs"
    assert [figures.written(n, "rows") for n in (1, 2, 1001)] == ["1 row", "2 rows", "1,001 rows"]


def test_sources_of_one_job_share_a_number_and_tell_the_range_of_times() -> None:
    sources = figures.Sources()
    first = measured(1.0, job="a", at="2026-11-21T09:00:00Z", load=0.1)
    later = measured(2.0, job="a", at="2026-11-21T09:05:00Z", load=2.5)
    assert (sources.cite(first), sources.cite(measured(1.0, job="b")), sources.cite(later)) == (1, 2, 1)
    line = sources.table()[0]
    assert (line.first[11:16], line.last[11:16], line.load) == ("09:00", "09:05", 2.5)


def test_an_svg_loses_scripts_styles_handlers_and_links_outwards() -> None:
    clean = inline(SVG)
    for gone in ("script", "<style", "onclick", "elsewhere", "DOCTYPE", 'width="460pt"'):
        assert gone not in clean
    assert "Loss &lt;by epoch&gt;" in clean
    assert 'viewBox="0 0 460 270"' in clean


def test_ids_of_two_svgs_on_a_page_differ_and_their_references_follow() -> None:
    one, two = inline(SVG), inline(SVG.replace("by epoch", "by hour"))
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", one)) | set(re.findall(r'href="#([^"]+)"', one)) == ids[0]


@pytest.mark.parametrize("text", ["", "<p/>", "<svg", '<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'])
def test_what_is_not_an_svg_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"SVG|svg"):
        Plot(file="a.svg", title="a", alt="a", svg=text)


def _gates(page: str) -> dict[str, bool]:
    """Whether each phase's checks are shown without a click."""
    found = re.findall(r'<details class="gate"( open)?><summary><b>([a-z]+)</b>', page)
    return {phase: opened != "" for opened, phase in found}


def test_checks_of_the_early_phases_are_folded_away_only_when_all_of_them_passed() -> None:
    early = [PASSED.checks[0].model_copy(update={"phase": phase, "passed": True}) for phase in ("setup", "train")]
    late = [early[0].model_copy(update={"phase": phase}) for phase in ("validate", "deploy")]
    assert _gates(render("report.html", PASSED.model_copy(update={"checks": (*early, *late)}))) == {
        "setup": False, "train": False, "validate": True, "deploy": True,
    }  # fmt: skip
    missed = early[1].model_copy(update={"passed": False, "blocking": False})
    page = render("report.html", PASSED.model_copy(update={"checks": (early[0], missed, *late)}))
    assert _gates(page)["train"] and not _gates(page)["setup"]
    assert "details::details-content { content-visibility: visible" in page.split("@media print")[1]
