"""LangGraph checkpoints on a plain Redis (6.2 or newer, no modules): asynchronous, each change one script,
fenced.

Per run: a hash of checkpoints (state inline), a sorted set that keeps their order (all scores 0, so by name:
ids are time-ordered), and a hash of pending writes per checkpoint, all under `neural/<run>/graph/`. No
synchronous methods, no expiry, no DeltaChannel support in `aprune`. Importing it imports LangGraph.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import ormsgpack
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint import base
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from memory import keys, scripts
from memory.records import Lease
from memory.values import written
from memory.wire import Wire, Word

MARK = "\x1f"  # between namespace and checkpoint id; occurs in neither
_WORDS = 4000  # of one script call; Lua unpacks at most about 8000

Command = tuple[Word, ...]


class PlainRedisSaver(base.BaseCheckpointSaver[int]):
    """Checkpoints of threads (a thread is a run); with a lease, a writer of an older epoch is refused.

    Args:
        wire: A connection opened with `decode=False`: checkpoints are bytes.
        lease: The writer's lease. `StaleEpoch` comes out of `ainvoke` unchanged.
    """

    def __init__(self, wire: Wire, lease: Lease | None = None) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))  # None = the safe built-in types only
        self._wire, self._lease = wire, lease

    async def aget_tuple(self, config: RunnableConfig) -> base.CheckpointTuple | None:
        """The named checkpoint, or the newest one of the thread and namespace."""
        thread, namespace = _thread(config), _namespace(config)
        if checkpoint_id := base.get_checkpoint_id(config):
            return await self._load(thread, namespace + MARK + checkpoint_id)
        low = f"[{namespace}{MARK}".encode()
        newest = await self._wire.do(
            "ZREVRANGEBYLEX", _key(thread, "order"), low + b"\xff", low, "LIMIT", 0, 1
        )  # fmt: skip
        return await self._load(thread, newest[0].decode()) if newest else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[base.CheckpointTuple]:
        """Checkpoints, newest first, that match the config, the metadata filter and `before`."""
        for thread in [_thread(config)] if config else await self._threads():
            for member in sorted(await self._members(thread), key=_id, reverse=True):
                if limit is not None and limit <= 0:
                    return
                if not _matches(member, config, before):
                    continue
                found = await self._load(thread, member)
                if found and all(found.metadata.get(key) == value for key, value in (filter or {}).items()):
                    limit = None if limit is None else limit - 1
                    yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: base.Checkpoint,
        metadata: base.CheckpointMetadata,
        new_versions: base.ChannelVersions,  # noqa: ARG002  (the state is stored inline, whole)
    ) -> RunnableConfig:
        """Store a checkpoint and return the config that names it."""
        thread, namespace = _thread(config), _namespace(config)
        member = namespace + MARK + checkpoint["id"]
        meta = self.serde.dumps_typed(base.get_checkpoint_metadata(config, metadata))
        record = ormsgpack.packb([*self.serde.dumps_typed(checkpoint), *meta, base.get_checkpoint_id(config)])
        await self._commit(
            thread,
            ("HSET", _key(thread, "checkpoints"), member, record),
            ("ZADD", _key(thread, "order"), 0, member),
            ("SADD", keys.THREADS, thread),
        )
        return _config(thread, namespace, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the pending writes of a task; repeated ones are kept once."""
        thread = _thread(config)
        key = _writes(thread, _namespace(config) + MARK + config["configurable"]["checkpoint_id"])
        commands: list[Command] = []
        for position, (channel, value) in enumerate(writes):
            index = base.WRITES_IDX_MAP.get(channel, position)  # errors and interrupts: negative places, replaced
            record = ormsgpack.packb([task_path, task_id, index, channel, *self.serde.dumps_typed(value)])
            commands.append(("HSET" if index < 0 else "HSETNX", key, f"{task_id}{MARK}{index}", record))
        await self._commit(thread, *commands)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints of a thread."""
        gone = [_writes(thread_id, member) for member in await self._members(thread_id)]
        gone += [_key(thread_id, "checkpoints"), _key(thread_id, "order")]
        await self._commit(thread_id, *_many("DEL", gone), ("SREM", keys.THREADS, thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata name one of these LangGraph run ids; reads every thread."""
        for thread in await self._threads():
            found = [(member, await self._load(thread, member)) for member in await self._members(thread)]
            await self._drop(thread, [m for m, kept in found if kept and kept.metadata.get("run_id") in run_ids])

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and pending writes to another thread."""
        members = await self._members(source_thread_id)
        if not members:
            return
        names = ["checkpoints", "order", *(f"writes/{member}" for member in members)]
        copies = [("COPY", _key(source_thread_id, n), _key(target_thread_id, n), "REPLACE") for n in names]
        await self._commit(target_thread_id, *copies, ("SADD", keys.THREADS, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace, or none with strategy `delete`."""
        for thread in thread_ids:
            members = sorted(await self._members(thread))  # by namespace, then by time
            newest = {member.split(MARK)[0]: member for member in members}.values()
            if strategy == "delete":
                await self.adelete_thread(thread)
            else:
                await self._drop(thread, [member for member in members if member not in newest])

    async def _commit(self, thread: str, *commands: Command) -> None:
        """Run the commands as one script; with a lease, only if no newer epoch was handed out."""
        epoch_key = keys.internal(self._lease.run, "epoch") if self._lease else keys.internal("unfenced", "epoch")
        words: list[Word] = [str(self._lease.epoch) if self._lease else ""]
        for command in commands:
            words += [len(command), *command]
        written(await self._wire.run(scripts.COMMIT, [epoch_key], words), thread, "the checkpoint")

    async def _load(self, thread: str, member: str) -> base.CheckpointTuple | None:
        record, stored = await self._wire.run(
            scripts.CHECKPOINT, [_key(thread, "checkpoints"), _writes(thread, member)], [member]
        )
        if not record:
            return None
        kind, body, meta_kind, meta, parent = ormsgpack.unpackb(record)
        writes = sorted(
            (ormsgpack.unpackb(write) for write in stored), key=lambda write: base.writes_sort_key(*write[:3])
        )
        namespace, checkpoint_id = member.split(MARK)
        return base.CheckpointTuple(
            config=_config(thread, namespace, checkpoint_id),
            checkpoint=self.serde.loads_typed((kind, body)),
            metadata=self.serde.loads_typed((meta_kind, meta)),
            parent_config=_config(thread, namespace, parent) if parent else None,
            pending_writes=[(w[1], w[3], self.serde.loads_typed((w[4], w[5]))) for w in writes],
        )

    async def _drop(self, thread: str, members: list[str]) -> None:
        if members:
            await self._commit(
                thread,
                *_many("HDEL", members, _key(thread, "checkpoints")),
                *_many("ZREM", members, _key(thread, "order")),
                *_many("DEL", [_writes(thread, member) for member in members]),
            )

    async def _members(self, thread: str) -> list[str]:
        return [member.decode() for member in await self._wire.do("ZRANGE", _key(thread, "order"), 0, -1)]

    async def _threads(self) -> list[str]:
        return sorted(name.decode() for name in await self._wire.do("SMEMBERS", keys.THREADS))


def _many(verb: str, words: Sequence[str], *key: str) -> list[Command]:
    """One command per `_WORDS` words, each beginning with the verb and perhaps a key."""
    return [(verb, *key, *words[at : at + _WORDS]) for at in range(0, len(words), _WORDS)]


def _key(thread: str, name: str) -> str:
    return f"{keys.ROOT}/{thread}/graph/{name}"  # a thread need not be named like a run


def _writes(thread: str, member: str) -> str:
    return _key(thread, f"writes/{member}")


def _thread(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])


def _namespace(config: RunnableConfig) -> str:
    return str(config["configurable"].get("checkpoint_ns", ""))


def _id(member: str) -> str:
    return member.split(MARK)[1]


def _matches(member: str, config: RunnableConfig | None, before: RunnableConfig | None) -> bool:
    ceiling = base.get_checkpoint_id(before) if before else None
    if ceiling and _id(member) >= ceiling:
        return False
    if config is None:
        return True
    namespace, wanted = config["configurable"].get("checkpoint_ns"), base.get_checkpoint_id(config)
    return (namespace is None or member.split(MARK)[0] == namespace) and (not wanted or _id(member) == wanted)


def _config(thread: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}}
