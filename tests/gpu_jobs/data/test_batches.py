"""In-memory batches: every row once per epoch, in an order that only seed and epoch decide."""

from __future__ import annotations

import pytest
import torch

from gpu_jobs.data.batches import InMemoryBatches


def batches(rows: int, batch: int, **more: int) -> InMemoryBatches:
    numbers = torch.arange(rows, dtype=torch.float32)[:, None] * 2
    return InMemoryBatches({"numbers": numbers}, torch.arange(rows), batch, more.pop("seed", 0), **more)


def seen(source: InMemoryBatches, epoch: int) -> list[int]:
    return [int(row) for _, target in source.epoch(epoch) for row in target]


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 64, 100])
def test_an_epoch_holds_every_row_once_with_its_inputs(rows: int) -> None:
    source = batches(rows, 32)
    for inputs, target in source.epoch(0):
        assert torch.equal(inputs["numbers"][:, 0], target.float() * 2)
    assert sorted(seen(source, 0)) == list(range(rows)) and len(list(source.epoch(0))) == source.steps


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    first = batches(200, 32)
    later = [seen(first, epoch) for epoch in range(3)][2]
    torch.manual_seed(99)
    assert seen(batches(200, 32), 2) == later
    assert seen(first, 1) != later and seen(batches(200, 32, seed=1), 2) != later


def test_no_batch_of_many_has_a_single_row() -> None:
    assert [len(target) for _, target in batches(65, 32).epoch(0)] == [32, 33]


@pytest.mark.parametrize("rows", [96, 97, 98])
def test_ranks_share_the_epoch_in_equally_many_batches(rows: int) -> None:
    shares = [seen(batches(rows, 10, rank=rank, world=3), 4) for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    assert set().union(*shares) == set(range(rows)) and sum(map(len, shares)) == -(-rows // 3) * 3


def test_impossible_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="rank 2"):
        batches(10, 2, rank=2, world=2)
