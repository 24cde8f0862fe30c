"""What the image is built from: where in the workspace the server and the model lie, and how it is labelled."""

from __future__ import annotations

from templates.frozen import Frozen


class DockerfileContext(Frozen):
    """Folders are relative to the Dockerfile; `server` holds serve.py and rows/, `models` the model's files."""

    name: str
    version: str
    run: str
    base: str = "python:3.11-slim"
    server: str = "scripts"
    models: str = "models"
    port: int = 8000
