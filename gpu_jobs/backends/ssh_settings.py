"""Settings of the ssh backend. They hold no secret: a key stays in its file or its agent."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SshSettings(BaseModel):
    """The machine that a person already has, and how to get in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ssh"] = "ssh"
    host: str | None = Field(default=None, description="name or address of the far machine, or a Host of ~/.ssh/config")
    port: int | None = Field(default=None, ge=1, le=65535, description="its port; default: of ~/.ssh/config, else 22")
    user: str | None = Field(default=None, description="login there; default: of ~/.ssh/config, else this user's name")
    identity: str | None = Field(
        default=None, description="file of the private key; default: the agent's keys, then those of ~/.ssh"
    )
    known_hosts: str | None = Field(default=None, description="file of host keys; default: ~/.ssh/known_hosts")
    fingerprint: str | None = Field(
        default=None, pattern=r"^SHA256:\S+$", description="fingerprint of the host key that is accepted as well"
    )
    root: str = Field(default="~/.neuroloom", min_length=1, description="folder there that holds everything of ours")
    python: str | None = Field(
        default=None, description="interpreter there that has every library; default: an environment is made once"
    )

    @property
    def address(self) -> str:
        """How people write it."""
        login = f"{self.user}@" if self.user else ""
        return f"{login}{self.host}" + (f":{self.port}" if self.port else "")
