"""Trains penguins again as run r-20261121-094501-k3f9 did, and says whether the test metric comes out the same.

    python -m venv .train && .train/bin/pip install -r requirements-train.txt
    .train/bin/python -P scripts/train.py            # a few seconds to hours, as the run took

Reads data/snapshot.*, data/splits.json, configs/*.json and models/model-metadata.json; writes only the folder retrained/
(or --out). It uses scripts/training_code/, the run's own code, and nothing else of the system that made it. Stopped, it
goes on from its last checkpoint; with other data or settings, change the files in configs/ and give another --out.
Exit status: 0 reproduced, 1 another metric, 2 cannot be repeated.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import signal
import sys
import types
from pathlib import Path
from typing import Any

SEED = 0  # of the run's jobs; that of the training is in configs/training.json
WORKSPACE = Path(__file__).resolve().parent.parent


class Stopped(Exception):
    """Ctrl-C or SIGTERM: a checkpoint is written, the same command goes on from it."""


class Watch:
    """What the training loop reports to, and asks whether to stop."""

    def __init__(self, quiet: bool) -> None:
        self.stopping = False
        self.quiet = quiet

    def control(self) -> dict[str, Any]:
        """No orders."""
        return {}

    def emit(self, type: str, **fields: Any) -> None:
        """Print epochs and what is out of the ordinary."""
        if self.quiet:
            return
        if type == "epoch":
            losses = f"train {fields['train_loss']:.5f}  validation {fields['validation_loss']:.5f}"
            print(f"epoch {fields['epoch']:>4}/{fields['epochs']}  {losses}  rate {fields['rate']:.2e}", flush=True)
        elif type in ("divergence", "early_stop", "resumed"):
            print(f"{type}: {fields}", flush=True)

    def stop(self, *_: Any) -> None:
        """Signal handler."""
        self.stopping = True


def code(module: str) -> Any:
    """A module of scripts/training_code, without putting any folder on the path."""
    if "training_code" not in sys.modules:
        package = types.ModuleType("training_code")
        package.__path__ = [str(Path(__file__).resolve().parent / "training_code")]
        sys.modules["training_code"] = package
    return importlib.import_module(f"training_code.{module}")


def read(path: Path) -> Any:
    """A JSON file of the workspace."""
    return json.loads(path.read_text(encoding="utf-8"))


def prepare(workspace: Path, out: Path, dataset: dict[str, Any]) -> None:
    """Encode the snapshot into out/data, and make sure that the splits are the run's."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name in ("snapshot.parquet", "snapshot.json"):
        shutil.copyfile(workspace / "data" / name, out / "data" / name)
    code("data.prepare").Preparation(out, dataset).run()
    recorded, found = (read(root / "data" / "splits.json") for root in (workspace, out))
    for split in ("train", "validation", "test"):
        if recorded[split] != found[split]:
            raise ValueError(f"the {split} rows are not those of data/splits.json: the snapshot or configs/dataset.json changed")


def train(out: Path, documents: dict[str, Any], watch: Watch) -> None:
    """Train to out/models/weights.safetensors, going on from a checkpoint in out/checkpoints when there is one."""
    import torch

    loop, settings_code = code("training.loop"), code("training.settings")
    architecture = code("models.architecture").Architecture.from_dict(documents["architecture"])
    settings = settings_code.TrainSettings.from_dict(documents["training"])
    data = read(out / "data" / "snapshot.json").get("sha256", "")
    recipe = settings_code.recipe_hash(architecture.as_dict(), settings.as_dict(), data)

    def work(group: Any) -> str:
        prepared = code("data.table").load_prepared(out)
        table = code("training.table").Table.of(prepared, architecture.classes, torch.device("cpu"))
        speaker = watch if group.rank == 0 else Watch(quiet=True)
        trainer = loop.Trainer(loop.Plan(architecture, settings, out, recipe), table, speaker, group)
        ended = trainer.run()
        if ended != "signal" and group.rank == 0:
            code("training.finish").finish(trainer)
        return ended

    if code("training.workers").together(settings.workers, out, work) == "signal":
        raise Stopped


def measure(out: Path, documents: dict[str, Any]) -> dict[str, float]:
    """Export as the run did (that fixes the temperature or the interval), then score the test rows once."""
    import torch

    torch.set_num_threads(int(documents["training"].get("threads") or 1))
    code("export.attempt").export_attempt(out, out / "models", documents["architecture"], seed=SEED)
    opened = code("evaluation.candidate")
    candidate = opened.Candidate(
        opened.Place(out, out / "models"), documents["architecture"], documents["dataset"]
    )
    sample = candidate.sample("test")
    scored = code("evaluation.scoring").scores(candidate.problem, sample.truth, candidate.network(sample.inputs))
    return code("evaluation.metrics").point(scored)


def compare(found: dict[str, float], recorded: dict[str, Any], tolerance: float) -> bool:
    """Print both values of every metric that was recorded; True when all agree."""
    agree = True
    for name in [name for name in recorded if name in found]:
        here, there = found[name], recorded[name]["value"]
        same = abs(here - there) <= tolerance * max(1.0, abs(there))
        agree &= same
        print(f"{'same ' if same else 'OTHER'}  {name:<20} now {here:.10g}  recorded {there:.10g}")
    return agree


def main() -> int:
    """Prepare, train, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=WORKSPACE)
    parser.add_argument("--out", type=Path, help="default: retrained/ in the workspace")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="relative; raise it on another kind of machine")
    parser.add_argument("--quiet", action="store_true", help="no line per epoch")
    given = parser.parse_args()
    out = (given.out or given.workspace / "retrained").resolve()
    watch = Watch(given.quiet)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, watch.stop)
    try:
        configs = given.workspace / "configs"
        documents = {name: read(configs / f"{name}.json") for name in ("architecture", "training", "dataset")}
        recorded = read(given.workspace / "models" / "model-metadata.json")["metrics"]
        prepare(given.workspace, out, documents["dataset"])
        train(out, documents, watch)
        same = compare(measure(out, documents), recorded, given.tolerance)
    except Stopped:
        print("stopped; the same command goes on from the checkpoint", file=sys.stderr)
        return 130
    except (OSError, ValueError, KeyError) as error:
        print(f"cannot be repeated: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    said = "The test metrics are the recorded ones." if same else "The test metrics are NOT the recorded ones."
    print(f"{said} The new model is in {out / 'models'}.")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
