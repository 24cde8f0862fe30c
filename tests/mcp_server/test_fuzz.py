"""A few hundred hostile calls, and every traversal and injection on every string and address; more in acceptance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.journeys.conftest import House, a_house, churn
from tests.mcp_server.fuzzing import SECRETS, Fuzzed, addresses, arguments_of, corpora, fuzzed, hostile, prepared, tree

__all__ = ["churn"]
CALLS = 300
FAST = settings(
    max_examples=CALLS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house(SECRETS) as found:
        yield found


@pytest.fixture(scope="module")
def run(house: House, churn: Path) -> str:
    """A finished run, so that there is something behind the names."""
    made = house.document("run", churn, "--target", "churned", "--epochs", 2, "--no-deploy", code=None)
    return str(made["run_id"])


@pytest.fixture
def server(house: House, run: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fuzzed]:
    monkeypatch.chdir(house.workspace)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    if not (house.workspace / "link").exists():
        prepared(house)
    before = tree(house.workspace)
    with fuzzed(house) as found:
        yield found
    assert tree(house.workspace) == before, "the workspace is as it was, neural/ apart"
    assert not list(house.workspace.rglob("pwned")) and not list(house.home.rglob("pwned"))


def test_calls_made_from_the_schemas_are_always_answered_and_harm_nothing(server: Fuzzed, run: str) -> None:
    pairs = st.sampled_from(sorted(server.tools)).flatmap(
        lambda name: st.tuples(
            st.just(name), arguments_of(server.tools[name], ["churn.csv", run, "latest"], work=False)
        )
    )

    @FAST
    @given(pairs)
    def called(pair: tuple[str, dict[str, object]]) -> None:
        server.call(*pair)

    called()
    assert server.found.broken == [], "\n".join(server.found.broken[:20])
    assert server.found.calls >= CALLS / 2
    assert len(server.found.codes) > 5, "hostile calls reach more than one refusal"


def test_no_traversal_and_no_injection_gets_through_any_string_of_any_tool(server: Fuzzed) -> None:
    for name, arguments in corpora(server.tools, each=6):
        server.call(name, arguments)
    assert server.found.broken == [], "\n".join(server.found.broken[:20])
    assert server.found.calls > 150


def test_no_traversal_and_no_injection_gets_through_any_address(server: Fuzzed, run: str) -> None:
    for uri in addresses(run):
        server.read(uri)
    assert server.found.broken == [], "\n".join(server.found.broken[:20])


def test_prompts_and_completions_take_anything(server: Fuzzed) -> None:
    @settings(FAST, max_examples=60)
    @given(st.sampled_from(["train", "status", "compare", "no_such"]), hostile().map(str))
    def asked(name: str, value: str) -> None:
        server.prompt(name, {"data": value, "run": value, "runs": value})
        server.complete(name, "run", value)

    asked()
    assert server.found.broken == [], "\n".join(server.found.broken[:20])
