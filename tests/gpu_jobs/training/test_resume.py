"""A train job that is killed, told to stop or finds damaged files goes on to the loss of an undisturbed run."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOLD_TO_STOP = 75
LONG: dict[str, Any] = {"epochs": 16, "patience": 16, "checkpoint_every": 2}


@pytest.mark.parametrize("classes", [3, 0])
def test_a_killed_run_ends_with_the_losses_of_an_undisturbed_one(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any], classes: int
) -> None:
    calm = undisturbed(classes=classes, **LONG)
    killed = jobs("killed", classes=classes, **LONG)
    assert killed.interrupt(5, signal.SIGKILL) == -signal.SIGKILL
    assert killed.interrupt(10, signal.SIGKILL) == -signal.SIGKILL
    found = killed.finish()
    resumed = killed.said("resumed")
    assert len(resumed) == 2
    assert resumed[0]["epoch"] >= 4
    assert killed.losses() == calm.losses()
    assert found["weights_sha256"] == calm.result["weights_sha256"]
    assert found["restored"]["equal"]


def test_sigterm_writes_a_checkpoint_and_the_run_goes_on_to_the_same_bits(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any]
) -> None:
    settings = {**LONG, "checkpoint_every": 1000}
    calm = undisturbed(**settings)
    stopped = jobs("stopped", **settings)
    assert stopped.interrupt(6, signal.SIGTERM) == TOLD_TO_STOP
    last = stopped.said("checkpoint")[-1]
    assert last["why"] == "signal"
    assert last["epoch"] >= 6
    assert stopped.finish()["weights_sha256"] == calm.result["weights_sha256"]
    assert stopped.losses() == calm.losses()
    assert stopped.said("resumed")[0]["epoch"] == last["epoch"]


@pytest.mark.parametrize("damage", ["tensors", "scalars", "no tensors"])
def test_a_damaged_checkpoint_is_skipped_and_said(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any], damage: str
) -> None:
    calm = undisturbed(**LONG)
    hurt = jobs("hurt", **LONG)
    assert hurt.interrupt(8, signal.SIGKILL) == -signal.SIGKILL
    folder = hurt.root / "attempts" / "1" / "checkpoints"
    newest = sorted(folder.glob("epoch-*.json"))[-1]
    _damage(newest, damage)
    found = hurt.finish()
    assert [event["name"] for event in hurt.said("checkpoint_skipped")] == [newest.stem]
    assert len(hurt.said("resumed")) == 1
    assert hurt.losses() == calm.losses()
    assert found["weights_sha256"] == calm.result["weights_sha256"]


def _damage(mark: Path, damage: str) -> None:
    tensors = mark.with_suffix(".safetensors")
    if damage == "tensors":
        body = bytearray(tensors.read_bytes())
        body[-9] ^= 1
        tensors.write_bytes(body)
    elif damage == "scalars":
        mark.write_text(mark.read_text().replace('"rate_factor": 1.0', '"rate_factor": 2.0'))
    else:
        tensors.unlink()


def test_a_checkpoint_of_another_recipe_is_not_resumed(jobs: Callable[..., Any]) -> None:
    job = jobs("one", epochs=4)
    job.finish()
    job.spec["args"]["training"]["rate"] = 1e-3
    second = job.finish()
    assert second["epochs_run"] == 4
    assert not job.said("resumed")
    assert "belongs to another" in job.said("checkpoint_skipped")[0]["why"]


def test_a_finished_run_that_is_started_again_trains_no_further(jobs: Callable[..., Any]) -> None:
    job = jobs("one", epochs=4)
    first, epochs = job.finish(), len(job.said("epoch"))
    again = job.finish()
    assert len(job.said("epoch")) == epochs
    assert again["weights_sha256"] == first["weights_sha256"]


def test_compressed_checkpoints_resume_too(jobs: Callable[..., Any], undisturbed: Callable[..., Any]) -> None:
    calm = undisturbed(**LONG)
    packed = jobs("packed", **LONG, compress_checkpoints=True)
    assert packed.interrupt(5, signal.SIGKILL) == -signal.SIGKILL
    packed.finish()
    assert packed.losses() == calm.losses()
    assert list((packed.root / "attempts" / "1" / "checkpoints").glob("*.safetensors.zst"))


@pytest.mark.parametrize("architecture", [{"batch_norm": True}, {"members": 1, "depth": 1}])
def test_batch_norm_and_plain_networks_resume_to_the_same_bits(
    jobs: Callable[..., Any], undisturbed: Callable[..., Any], architecture: dict[str, Any]
) -> None:
    calm = undisturbed(architecture=architecture, **LONG)
    killed = jobs("killed", architecture=architecture, **LONG)
    assert killed.interrupt(5, signal.SIGKILL) == -signal.SIGKILL
    killed.finish()
    assert killed.losses() == calm.losses()


def test_a_warmed_process_forks_jobs_that_train_with_one_and_with_two_threads(jobs: Callable[..., Any]) -> None:
    one, two = jobs("one", epochs=3, threads=1).finish(), jobs("two", epochs=3, threads=2).finish()
    assert (one["threads"], two["threads"]) == (1, 2)
    gap = one["validation_loss"]["value"] - two["validation_loss"]["value"]
    assert abs(gap) < 1e-3
