"""Rows to arrays and outputs to answers, with the standard library and NumPy only.

This folder is a closed set of files: training, evaluation and the generated server all use it, the server
from a verbatim copy beside `serve.py`. It fits nothing (that is `data/fit.py`) and loads no model.

    >>> encoder = load(preprocessing)                       # doctest: +SKIP
    >>> encoder.encode_one({"age": 39, "sex": "Male"})      # doctest: +SKIP
    {"numbers": float32 (1, d), "categories": int64 (1, k)}
"""

from .encoder import RowEncoder, load
from .errors import RowError, json_kind

__all__ = ["RowEncoder", "RowError", "json_kind", "load"]
