"""Where in the workspace the server and the model lie."""

from __future__ import annotations

from templates.frozen import Frozen


class DockerignoreContext(Frozen):
    """The same folders as the Dockerfile's."""

    server: str = "scripts"
    models: str = "models"
