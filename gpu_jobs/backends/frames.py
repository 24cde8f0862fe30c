"""Frames between the two sides of the ssh backend: two lengths, a JSON object, raw bytes. It opens nothing."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol

LENGTHS = struct.Struct(">II")
Frame = tuple[dict[str, Any], bytes]


class Reader(Protocol):
    """What frames are read from: a stream of asyncio or of asyncssh."""

    async def readexactly(self, n: int, /) -> bytes:
        """That many bytes, or `IncompleteReadError` at the end."""
        ...


def pack(message: Mapping[str, Any], data: bytes = b"") -> bytes:
    """One frame, whole.

    Example:
        >>> pack({"do": "list"}, b"ab")[:8].hex()
        '0000000e00000002'
    """
    header = json.dumps(message, allow_nan=False).encode()
    return LENGTHS.pack(len(header), len(data)) + header + data


async def unpack(reader: Reader) -> Frame | None:
    """The next frame; None when the stream has ended, also in the middle of one."""
    try:
        header, data = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
        message = json.loads(await reader.readexactly(header))
        return message, (await reader.readexactly(data) if data else b"")
    except asyncio.IncompleteReadError:
        return None
