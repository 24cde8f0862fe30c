"""What the deployment guide tells."""

from __future__ import annotations

import json
import shlex
from typing import Any

from templates.deploy_sh.context import DeployShContext
from templates.frozen import Frozen, Name


class DeploymentMdContext(Frozen):
    """`example` is one real row; `files` are (path, SHA-256) pairs; `url` is the running deployment's, if any."""

    name: Name
    version: str
    run: Name
    port: int = 8000
    url: str | None = None
    example: dict[str, Any]
    answer: dict[str, Any] | None = None
    files: tuple[tuple[str, str], ...]
    previous: str | None = None

    @property
    def container(self) -> str:
        """The container's name, as deploy.sh makes it."""
        return DeployShContext(name=self.name, version="0").image

    @property
    def address(self) -> str:
        """Where the examples point."""
        return self.url or f"http://127.0.0.1:{self.port}"

    @property
    def curl(self) -> str:
        """A request that works when pasted."""
        body = shlex.quote(json.dumps(self.example, ensure_ascii=False))
        address = shlex.quote(self.address + "/predict")
        return f"curl -s {address} \\\n  -H 'content-type: application/json' \\\n  -d {body}"

    @property
    def answered(self) -> str:
        """The answer to it, indented."""
        return json.dumps(self.answer, indent=2, ensure_ascii=False)
