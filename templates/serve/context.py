"""What `serve.py` is generated from. Not the fields: the server reads them from the model's folder."""

from __future__ import annotations

from templates.frozen import Frozen


class ServeDefaults(Frozen):
    """Defaults of the server's flags that other generated files tell too."""

    port: int = 8000
    batch_wait_ms: float = 0.0
    max_batch: int = 32
    queue: int = 1024
    max_rows: int = 10_000
    max_body_mb: float = 2.0
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    drain_seconds: float = 2.0


class ServeContext(Frozen):
    """Name and version shown until `model-metadata.json` beside the model says otherwise."""

    name: str
    version: str
    run: str
    defaults: ServeDefaults = ServeDefaults()
