"""What `serve.py` is generated from. Not the fields: the server reads them from the model's folder."""

from __future__ import annotations

from templates.frozen import Frozen


class ServeContext(Frozen):
    """Name and version shown until `model-metadata.json` beside the model says otherwise."""

    name: str
    version: str
    run: str
