"""The training table: which rows it holds, how batches are shared out, and what it never touches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gpu_jobs.data.table import load_prepared
from gpu_jobs.training.table import Table, shards
from tests.gpu_jobs.training.tables import arrays, make_table, write_prepared


def test_training_and_validation_rows_are_taken_and_test_rows_are_not(tmp_path: Path) -> None:
    write_prepared(tmp_path, 500, 0)
    numbers, categories, target = arrays(500, 0)
    encoded = tmp_path / "data" / "encoded" / "numbers.npy"
    poisoned = numbers.copy()
    poisoned[400:] = np.nan
    np.save(encoded, poisoned)
    table = Table.of(load_prepared(tmp_path), 0, torch.device("cpu"))
    assert np.array_equal(table.train["numbers"].numpy(), numbers[:320])
    assert np.array_equal(table.validation["categories"].numpy(), categories[320:400])
    assert table.scale is not None
    back = table.scale.inverse(table.validation_target.double().numpy())
    assert np.allclose(back, target[320:400], rtol=1e-5)
    assert abs(float(table.target.mean())) < 1e-5
    assert bool(torch.isfinite(table.validation["numbers"]).all())


def test_the_ranks_together_see_the_batches_of_one_process() -> None:
    table = make_table(233)
    batches = table.batches(32, 7)
    alone = [whole for _, whole in shards(batches, 3)]
    ranks = [list(shards(batches, 3, rank=rank, world=3)) for rank in range(3)]
    for step, whole in enumerate(alone):
        parts = [ranks[rank][step] for rank in range(3)]
        assert all(torch.equal(of_all, whole) for _, of_all in parts)
        rows = sorted(float(x) for (inputs, _), _ in parts for x in inputs["numbers"][:, 0])
        assert len(rows) == len(whole)
        found = torch.cat([target for (_, target), _ in parts])
        assert torch.equal(found.sort().values, whole.sort().values)


def test_a_later_start_gives_the_rest_of_the_same_epoch() -> None:
    batches = make_table(300).batches(32, 1)
    whole = [target for _, target in shards(batches, 2)]
    rest = [target for _, target in shards(batches, 2, start=3)]
    assert len(rest) == len(whole) - 3
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))
    other = torch.cat([target for _, target in shards(batches, 3)])
    assert not torch.equal(torch.cat(whole), other)
