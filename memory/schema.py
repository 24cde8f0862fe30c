"""The version of the stored state, `neural/schema`: nobody touches what a newer Neuroloom wrote."""

from __future__ import annotations

from memory import keys
from memory.errors import SchemaRefused
from memory.wire import Wire

VERSION = 1


async def check_schema(wire: Wire) -> None:
    """Mark an empty store with our version, and refuse another one.

    Raises:
        SchemaRefused: The state is newer than this program; it is left as it is.
    """
    found = await wire.do("GET", keys.SCHEMA)
    if found is None:
        await wire.do("SETNX", keys.SCHEMA, VERSION)
        found = await wire.do("GET", keys.SCHEMA)
    if int(found) > VERSION:
        raise SchemaRefused(
            f"{wire.where} holds state of schema {found}; this Neuroloom knows {VERSION}, changes nothing",
            fix="install the newer Neuroloom again (`pip install -U neuroloom`), or set NEUROLOOM_HOME "
            "or NEUROLOOM_REDIS_URL to another place and start empty there",
        )
