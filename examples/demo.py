"""The main job on real data: train on penguins.csv, deploy, send one real row to the endpoint, print its answer.

Run it with `make demo`. It drives the `neuroloom` command as a person would and reads its `--json` document.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEUROLOOM = Path(sys.executable).with_name("neuroloom")


def main() -> int:
    """Run, ask the endpoint, tell what happened; returns the run's exit code."""
    began = time.monotonic()
    ask = ["--target", "species", "--goal", "which penguin is this", "--name", "penguins"]
    code = subprocess.run([NEUROLOOM, "run", HERE / "penguins.csv", *ask], check=False, cwd=HERE.parent).returncode
    took = time.monotonic() - began
    if code != 0:
        return code
    shown = subprocess.run([NEUROLOOM, "show", "latest", "--json"], check=True, capture_output=True, cwd=HERE.parent)
    document = json.loads(shown.stdout)
    deployment = document["deployment"]
    body = json.dumps(deployment["example_request"]).encode()
    request = urllib.request.Request(f"{deployment['url']}/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        predicted = json.loads(answer.read())
    sys.stdout.write(
        f"\nOne real row:   {json.dumps(deployment['example_request'])}\n"
        f"Its prediction: {json.dumps(predicted['predictions'][0])}\n"
        f"Report:         {Path(document['report']).with_suffix('.html')}\n"
        f"Try it by hand: {deployment['url']}/ in a browser; stop everything: {NEUROLOOM} down\n"
        f"The run took {took:.1f} s.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
