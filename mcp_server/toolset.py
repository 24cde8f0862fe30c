"""The list of tools, put together from the modules that hold them, and the names of their arguments."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from mcp.server.mcpserver.tools import Tool

from mcp_server import naming
from mcp_server.tool import ToolInfo

MODULES = ("datasets", "runs", "control", "results", "models", "deployments", "memory", "machine")


def _tools() -> Mapping[str, ToolInfo]:
    modules = [importlib.import_module(f"mcp_server.tools.{name}") for name in MODULES]
    return MappingProxyType({tool.name: tool for module in modules for tool in module.TOOLS})


TOOLS: Mapping[str, ToolInfo] = _tools()


def names(tools: Mapping[str, Tool]) -> dict[str, naming.ToolInfo]:
    """The argument names of the tools, as they were registered, with what they are also called."""
    return {
        name: naming.ToolInfo(frozenset(tool.parameters["properties"]), TOOLS[name].aliases, TOOLS[name].prefixes)
        for name, tool in tools.items()
    }
