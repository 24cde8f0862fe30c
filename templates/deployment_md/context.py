"""What the deployment guide tells."""

from __future__ import annotations

import shlex
from typing import Any

from templates.deploy_sh.context import DeployShContext
from templates.frozen import Frozen, Name
from templates.quoting import json_visible
from templates.serve.context import ServeDefaults


class DeploymentMdContext(Frozen):
    """What is known when it is written.

    Attributes:
        url: where Neuroloom serves this version; None while it does not.
        previous: the version kept to go back to; only known of a version that is served.
        example: one real row.
        files: (path, SHA-256) pairs.
    """

    name: Name
    version: str
    run: Name
    url: str | None = None
    example: dict[str, Any]
    answer: dict[str, Any] | None = None
    files: tuple[tuple[str, str], ...]
    previous: str | None = None
    defaults: ServeDefaults = ServeDefaults()

    @property
    def container(self) -> str:
        """The container's name, as deploy.sh makes it."""
        return DeployShContext(name=self.name, version="0").image

    @property
    def local(self) -> str:
        """Where it answers when it was started without Neuroloom."""
        return f"http://127.0.0.1:{self.defaults.port}"

    @property
    def address(self) -> str:
        """Where the examples point."""
        return self.url or self.local

    @property
    def curl(self) -> str:
        """A request that works when pasted."""
        body = shlex.quote(json_visible(self.example))
        address = shlex.quote(self.address + "/predict")
        return f"curl -s {address} \\\n  -H 'content-type: application/json' \\\n  -d {body}"

    @property
    def answered(self) -> str:
        """The answer to it, indented."""
        return json_visible(self.answer, indent=2)
