"""How figures are printed, said again on its own, and every printed number traced to a known one."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

TITLES = {
    "auc": "Area under ROC",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "r2": "R²",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "latency_p50_ms": "Latency, median",
    "latency_p95_ms": "Latency, 95th percentile",
    "latency_p99_ms": "Latency, 99th percentile",
    "throughput_rps": "Throughput, 16 clients",
    "model_alone_ms": "Model alone, without HTTP",
    "memory_mb": "Memory of the server",
    "model_bytes": "Size of the model",
    "ready_seconds": "Start until ready",
    "rows_per_second": "Rows per second, 32 a request",
    "batch32_p95_ms": "Latency of 32 rows, 95th percentile",
    "majority": "always the most frequent class",
    "mean": "always the mean",
    "linear": "a linear model",
    "trees": "gradient-boosted trees",
}
FIXED = {"fraction": 4, "nats": 4, "requests/s": 0, "rows/s": 0, "MB": 1, "bytes": 0, "rows": 0, "parameters": 0}
SHORT = {"fraction": "", "nats": "", "target": ""}
NUMBER = re.compile(r"(?<![\w.#-])[-−]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])(?!\.\d)")


def title(name: str) -> str:
    """A metric's or baseline's name in the report."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def digits(value: float, unit: str) -> str:
    """A number in its unit, without the unit's name."""
    if unit in FIXED:
        text = f"{value:,.{FIXED[unit]}f}"
    elif unit == "target":
        text = f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.5g}"
    else:
        text = f"{value:.3g}" if unit in ("ms", "s") else f"{value:.4g}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def figure(found: Any) -> str:
    """A measurement as the report prints it: value, unit, and its interval in brackets."""
    if found is None:
        return "–"
    name = found["unit"]
    suffix = SHORT.get(name, f" {name}")
    text = digits(found["value"], name) + suffix
    if text == "1 rows":
        text = "1 row"
    if found.get("interval") is None:
        return text
    low, high = (digits(end, name) + suffix for end in found["interval"])
    return f"{text} ({low} to {high})"


class Known:
    """Every number that has a source, to look printed ones up in."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = sorted(set(values))

    def holds(self, printed: str) -> bool:
        """Whether a known number is printed so, at the digits that the text has."""
        bare = printed.replace(",", "").replace("−", "-")
        mantissa, _, power = bare.partition("e")
        decimals = len(mantissa.partition(".")[2])
        half = 0.5 * 10.0 ** (int(power or 0) - decimals) * (1 + 1e-9)
        value = float(bare)
        place = bisect_left(self.values, value - half)
        return place < len(self.values) and self.values[place] <= value + half


def unsourced(text: str, names: Iterable[str], known: Known) -> list[str]:
    """Printed numbers without a source, amid their text. `names` are known texts, such as hashes, to look past."""
    for name in sorted({name for name in names if name}, key=len, reverse=True):
        text = text.replace(name, " ")
    amid = [(found.group(), text[max(0, found.start() - 40) : found.end() + 20]) for found in NUMBER.finditer(text)]
    return [f"{printed} (in {' '.join(around.split())!r})" for printed, around in amid if not known.holds(printed)]
