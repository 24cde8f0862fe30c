"""Batches of rows for training: the protocol training reads and the in-memory variant. It reads no file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

Batch = tuple[dict[str, Tensor], Tensor]
_MIX = 1_000_003


class Batches(Protocol):
    """Rows in an order that is a function of (seed, epoch, block) alone: resuming needs no generator."""

    rows: int

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch: ({input name: (b, ...)}, target (b,))."""
        ...


def order(rows: int, seed: int, epoch: int, block: int = 0) -> Tensor:
    """The permutation of `rows` rows of one block in one epoch, as int64 (rows,) on the CPU."""
    generator = torch.Generator()
    generator.manual_seed(((seed * _MIX + epoch) * _MIX + block) & (2**63 - 1))
    return torch.randperm(rows, generator=generator)


class InMemoryBatches:
    """The whole table as tensors: one permutation per epoch and one `index_select` per tensor and batch.

    With `world` > 1 every rank sees its own share of the same permutation; all shares are equally long (the
    first rows of the permutation fill the last share up), so all ranks make the same number of steps.
    `batch` is what one rank takes. A last batch of a single row joins the one before it:
    batch norm needs two rows.
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        target: Tensor,
        batch: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch < 1 or not 0 <= rank < world:
            raise ValueError(f"batch {batch!r} must be at least 1 and rank {rank!r} below world {world!r}")
        self.tensors = tensors
        self.target = target
        self.batch = batch
        self.seed = seed
        self.rank = rank
        self.world = world
        self.rows = len(target)

    @property
    def steps(self) -> int:
        """Batches in one epoch on one rank."""
        return len(_sizes(-(-self.rows // self.world), self.batch))

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of epoch number `epoch`: ({name: (b, ...)}, target (b,)), on the tensors' device."""
        rows = self._share(order(self.rows, self.seed, epoch)).to(self.target.device)
        tensors, target = self.tensors, self.target
        for part in torch.split(rows, _sizes(len(rows), self.batch)):
            yield (
                {name: tensor.index_select(0, part) for name, tensor in tensors.items()},
                target.index_select(0, part),
            )

    def _share(self, rows: Tensor) -> Tensor:
        if self.world == 1:
            return rows
        short = -len(rows) % self.world
        return torch.cat([rows, rows[:short]])[self.rank :: self.world]


def _sizes(rows: int, batch: int) -> list[int]:
    sizes = [batch] * (rows // batch)
    rest = rows % batch
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes
