"""How the chat door serves: address, allow-lists, rate limits, audit, sizes. It opens nothing."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, Field

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
MIB = 1024 * 1024


class ChatSettings(BaseModel):
    """Settings of `neuroloom mcp`; the address and the lists count for `--http` alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; loopback unless others are let in")
    port: int = Field(8765, ge=0, le=65535, description="0 takes a free one and says which")
    allowed_hosts: tuple[str, ...] = Field((), description="names by which clients may call, besides the loopback ones")
    allowed_origins: tuple[str, ...] = Field((), description="web pages (https://name) that may call, besides loopback")
    calls_per_minute: int = Field(600, ge=1, description="of one token, or of one local chat")
    calls_per_second: int = Field(60, ge=1, description="the most in any one second")
    calls_at_once: int = Field(64, ge=1, description="of one token: calls that have not been answered yet")
    audit: bool = Field(True, description="one record a call in <state folder>/audit")
    body_mib: int = Field(4, ge=1, le=64, description="the largest request over HTTP")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_loopback(self.host)

    @property
    def hosts(self) -> list[str]:
        """Every `Host` that is answered, in the form that the MCP library compares."""
        return [form for name in (*LOOPBACK_NAMES, *self.allowed_hosts) for form in _with_ports(name)]

    @property
    def origins(self) -> list[str]:
        """Every `Origin` that is answered; a call without one does not come from a web page."""
        own = [f"http://{form}" for name in LOOPBACK_NAMES for form in _with_ports(name)]
        return [*own, *(origin.rstrip("/") for origin in self.allowed_origins)]


def is_loopback(host: str) -> bool:
    """Whether a host names this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _with_ports(name: str) -> list[str]:
    """A name alone holds for every port; `name:port` holds as it is."""
    given_port = name.rpartition(":")[2].isdigit() and not name.endswith("]")
    return [name] if given_port else [name, f"{name}:*"]
