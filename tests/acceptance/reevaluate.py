"""Re-evaluates a deployed or rejected run from what it kept: finds every number that it reports, or says which not.

    python -P tests/acceptance/reevaluate.py neural/<run_id> --memory memory.json --document answer.json

`--memory` is a file of every key's value as `neuroloom memory get` prints it, `--document` what `run --json` printed.
With `--neuroloom PATH` in place of `--memory` the script asks for the values itself. The code is in `reevaluation/`:
plain NumPy of its own, nothing of the product but the row encoder, which it loads from the run's own workspace as the
server does. Prints each mismatch and exits 1 when there is one. It does not judge whether the model is good. Speeds,
times and memory can only be measured: they must have an origin, and be the same wherever they stand. Temperature and
the loss before it come from kept predictions, the linear model's and the trees' predictions are taken as kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.acceptance.reevaluation.artifacts import Run, read
from tests.acceptance.reevaluation.champion import expected_champion
from tests.acceptance.reevaluation.checks import Check
from tests.acceptance.reevaluation.documents import (
    check_answer,
    check_decisions,
    check_metadata,
    check_origins,
    check_results,
    job,
)
from tests.acceptance.reevaluation.gates import check_gates
from tests.acceptance.reevaluation.printed import check_printed
from tests.acceptance.reevaluation.scores import Split, check_split
from tests.acceptance.reevaluation.tables import check_data
from tests.acceptance.reevaluation.training import (
    check_histogram,
    expected_benchmark,
    expected_export,
    expected_training,
)

Document = dict[str, Any]


def remembered(command: Path, run: Path) -> Document:
    """Every key's value, as the command prints it."""

    def say(*words: str) -> Any:
        asked = [str(command), "memory", *words, "--run", run.name, "--json"]
        return json.loads(subprocess.run(asked, capture_output=True, check=True, cwd=run.parents[1]).stdout)

    names = say("list")["keys"]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(lambda name: say("get", name), names), strict=True))


def check_measured(run: Run, request: Document, results: Document, check: Check) -> None:
    """What the jobs measured: both splits, training, export and benchmark."""
    seed = int(request["seed"])
    test = Split(run, "test", seed)
    check_split(test, results["test"], check, expected_champion(test, request.get("retrain")))
    validation = Split(run, "validation", seed)
    check_split(validation, results["evaluate"], check)
    check.same("training", read(run.attempt / "training-result.json"), expected_training(validation))
    check.same("export", job(run, f"export-{run.attempt.name}"), expected_export(validation))
    check.same("benchmark", results["benchmark"], expected_benchmark(run, results["benchmark"]))
    check_histogram(results["benchmark"], check)


def check_run(run: Run, memory: Document, answer: Document, check: Check) -> None:
    """Every number of a run that was tested, deployed or not."""
    results = read(run.folder / "reports" / "results.json")
    check_data(run, check)
    check_measured(run, memory["request"], results, check)
    check_results(run, memory, results, check)
    check_gates(run, memory, results | {"train": memory["training-metrics"]}, check)
    check_decisions(run, memory, check)
    check_answer(run, answer, memory, check)
    if run.published:
        check_metadata(run, memory, check)
    check_origins(run, {"memory": memory, "results": results, "--json": answer["metrics"]}, check)
    check_printed(run, memory, check)


def main(arguments: list[str] | None = None) -> int:
    """Check one run; 0 when every number agrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="the run folder, neural/<run_id>")
    parser.add_argument("--document", type=Path, help="what `run --json` printed")
    parser.add_argument("--memory", type=Path, help="a JSON file of every key's value")
    parser.add_argument("--neuroloom", type=Path, help="the command to ask memory with, in place of --memory")
    parser.add_argument(
        "--test-only", action="store_true", help="only the test job's document, of a folder with no more"
    )
    given = parser.parse_args(arguments)
    run, check = Run(given.run.resolve()), Check()
    if given.test_only:
        check_split(Split(run, "test", 0), read(run.folder / "reports" / "results.json")["test"], check)
    elif given.document is None or (given.memory is None) == (given.neuroloom is None):
        parser.error("give --document, and --memory or --neuroloom; or --test-only")
    else:
        memory = remembered(given.neuroloom, run.folder) if given.memory is None else read(given.memory)
        check_run(run, memory, read(given.document), check)
    for line in check.wrong:
        sys.stdout.write(f"mismatch: {line}\n")
    sys.stdout.write(f"{check.compared} comparisons, {len(check.wrong)} mismatches\n")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
