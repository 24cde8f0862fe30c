"""The kit and the cases of this folder, made importable: test modules stand alone under importlib mode."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
