"""Thousands of calls that nobody means against the chat server in this process, with a finished run to get at.

    python -P tests/acceptance/fuzz_chat.py --calls 5000 --seed 1

Half of them come from the tools' own schemas with hostile values in between, the rest puts every traversal and
every injection into every string of every tool, every address, prompts and completions. After each: there is an answer,
it is no internal error, keeps its schema and 4 kB, no byte of it holds the planted secret; after all: the workspace
outside `neural/` is as it was. Prints what was answered how often; exits 1 on a miss.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.journeys.conftest import a_house
from tests.mcp_server.fuzzing import (
    SECRETS,
    Fuzzed,
    addresses,
    arguments_of,
    corpora,
    fuzzed,
    hostile,
    prepared,
    tree,
)


def table(path: Path) -> Path:
    """A small seeded table."""
    draw = random.Random(5)
    rows = [f"{draw.randint(18, 80)},{draw.choice(['basic', 'plus'])},{draw.choice(['yes', 'no'])}" for _ in range(200)]
    path.write_text("\n".join(["age,plan,churned", *rows]) + "\n")
    return path


def with_corpora(server: Fuzzed, run: str) -> None:
    """Every traversal and injection everywhere."""
    for name, arguments in corpora(server.tools):
        server.call(name, arguments)
    for uri in addresses(run):
        server.read(uri)


def from_schemas(server: Fuzzed, run: str, calls: int, number: int) -> None:
    """So many calls, drawn from the schemas."""
    known = ["churn.csv", run, "latest"]
    pairs = st.sampled_from(sorted(server.tools)).flatmap(
        lambda name: st.tuples(st.just(name), arguments_of(server.tools[name], known, work=False))
    )
    few = {"deadline": None, "database": None, "phases": [Phase.generate], "suppress_health_check": [*HealthCheck]}

    def part(most: int, chosen: int) -> None:
        @seed(chosen)
        @settings(max_examples=most, **few)  # type: ignore[arg-type]
        @given(pairs, st.sampled_from(["train", "status", "compare", "no_such"]), hostile().map(str))
        def called(pair: tuple[str, dict[str, Any]], prompt: str, value: str) -> None:
            server.call(*pair)
            if value and ord(value[0]) % 8 == 0:
                server.prompt(prompt, {"data": value, "run": value, "runs": value})
                server.complete(prompt, "run", value)

        called()

    while server.found.calls < calls:
        part(min(500, calls), number)
        number += 1
        sys.stdout.write(f"{server.found.calls} calls, {len(server.found.broken)} broken\n")
        sys.stdout.flush()


def main() -> int:
    """Prepare, fuzz, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ.update(SECRETS)
    with a_house(SECRETS) as house:
        data = table(house.workspace / "churn.csv")
        run = str(house.document("run", data, "--target", "churned", "--epochs", 1, "--no-deploy", code=None)["run_id"])
        prepared(house)
        os.chdir(house.workspace)
        before, begun = tree(house.workspace), time.perf_counter()
        with fuzzed(house) as server:
            with_corpora(server, run)
            from_schemas(server, run, asked.calls, asked.seed)
        found, took = server.found, time.perf_counter() - begun
        if tree(house.workspace) != before:
            found.broken.append("the workspace outside neural/ has changed")
        if [*house.workspace.rglob("pwned"), *house.home.rglob("pwned")]:
            found.broken.append("a command was run")
        os.chdir("/")
    rows = sorted(found.codes.items(), key=lambda row: -row[1])
    sys.stdout.write(
        "\n".join([f"{found.calls} calls in {took:.0f} s", *(f"{count:6} {code}" for code, count in rows)])
    )
    sys.stdout.write("\n" + "\n".join(found.broken[:50]) + "\n")
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
