"""Losses, optimiser, schedule and settings against their definitions."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gpu_jobs.models.network import TabularNetwork
from gpu_jobs.training.errors import TrainingError
from gpu_jobs.training.flat import FlatParameters
from gpu_jobs.training.group import Alone
from gpu_jobs.training.losses import Loss
from gpu_jobs.training.optimiser import Optimiser
from gpu_jobs.training.schedule import rate_at
from gpu_jobs.training.settings import TrainSettings, recipe_hash
from gpu_jobs.training.step import Stepper
from tests.gpu_jobs.training.tables import make_architecture, make_settings, make_table

CPU = torch.device("cpu")


def test_the_training_loss_is_the_mean_of_the_members_losses() -> None:
    outputs, target = torch.randn(3, 8, 4), torch.randint(0, 4, (8,))
    loss = Loss.of(TrainSettings(label_smoothing=0.1, class_weights=(1.0, 2.0, 3.0, 4.0)), 4, CPU)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    each = [nn.functional.cross_entropy(o, target, weight=weights, label_smoothing=0.1) for o in outputs]
    assert torch.allclose(loss.members(outputs, target), torch.stack(each).mean())
    values, wanted = torch.randn(3, 8, 1), torch.randn(8)
    mean = torch.stack([((v[:, 0] - wanted) ** 2).mean() for v in values]).mean()
    assert torch.allclose(Loss.of(TrainSettings(), 0, CPU).members(values, wanted), mean)


def test_the_validation_loss_is_that_of_the_mean_prediction() -> None:
    outputs, target = torch.randn(3, 8, 4), torch.randint(0, 4, (8,))
    chance = outputs.double().softmax(-1).mean(0)[torch.arange(8), target]
    found = Loss.of(TrainSettings(label_smoothing=0.3), 4, CPU).ensemble(outputs, target)
    assert float(found) == pytest.approx(float(-chance.log().sum()))
    values, wanted = torch.randn(3, 8, 1), torch.randn(8)
    squared = ((values.double().mean(0)[:, 0] - wanted.double()) ** 2).sum()
    assert float(Loss.of(TrainSettings(), 0, CPU).ensemble(values, wanted)) == pytest.approx(float(squared))


def test_the_optimiser_takes_torchs_adamw_steps_after_clipping() -> None:
    torch.manual_seed(0)
    network = TabularNetwork(make_architecture(number_embedding="none", members=1, dropout=0.0))
    reference = TabularNetwork(network.architecture)
    reference.load_state_dict(network.state_dict())
    settings = TrainSettings(weight_decay=0.1, clip_norm=0.5, beta2=0.99)
    roles = list(reference.roles())
    groups = [
        {"params": [r.parameter for r in roles if r.decays is decays], "weight_decay": 0.1 * decays}
        for decays in (True, False)
    ]
    adam = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.99))
    flat = FlatParameters(network)
    optimiser = Optimiser(flat, settings)
    table = make_table(200)
    loss = Loss.of(settings, 2, CPU)
    for _ in range(5):
        flat.shared.zero_()
        loss.members(network(**table.train), table.target).backward()  # type: ignore[no-untyped-call]
        optimiser.step(1e-2)
        adam.zero_grad()
        loss.members(reference(**table.train), table.target).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
        adam.step()
    for ours, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-6)


def test_l1_pulls_weight_matrices_to_zero_and_nothing_else() -> None:
    table = make_table(200)
    sizes = {}
    for l1 in (0.0, 0.05):
        torch.manual_seed(0)
        network = TabularNetwork(make_architecture(number_embedding="none", dropout=0.0))
        stepper = Stepper(network, make_settings(l1=l1, weight_decay=0.0, ema=0.0), Alone())
        for _ in range(60):
            stepper.step((table.train, table.target), table.target, 1e-2)
        sizes[l1] = float(network.weights[0].detach().abs().sum())
    assert sizes[0.05] < 0.3 * sizes[0.0]


def test_the_average_of_the_weights_is_used_for_evaluation_only() -> None:
    torch.manual_seed(0)
    stepper = Stepper(TabularNetwork(make_architecture(number_embedding="none")), make_settings(ema=0.9), Alone())
    table = make_table(100)
    wanted = stepper.flat.values.clone()
    for step in range(1, 5):
        stepper.step((table.train, table.target), table.target, 1e-2)
        decay = min(0.9, step / (10 + step))
        wanted = decay * wanted + (1 - decay) * stepper.flat.values
    before = stepper.flat.values.clone()
    with stepper.averaged():
        assert torch.allclose(stepper.flat.values, wanted, atol=1e-6)
        assert not stepper.network.training
    assert torch.equal(stepper.flat.values, before)
    assert (before - wanted).abs().max() > 1e-3
    assert stepper.network.training


@given(total=st.integers(1, 5000), warmup=st.floats(0, 0.5), flat=st.floats(0, 1))
def test_the_rate_never_exceeds_its_peak_and_a_cosine_never_rises_after_the_warm_up(
    total: int, warmup: float, flat: float
) -> None:
    settings = TrainSettings(rate=1.0, warmup=warmup, flat=flat)
    rates = [rate_at(step, total, settings) for step in range(0, total, max(1, total // 97))]
    assert all(0.0 <= rate <= 1.0 for rate in rates)
    peak = rates.index(max(rates))
    assert all(a >= b - 1e-12 for a, b in zip(rates[peak:], rates[peak + 1 :], strict=False))


def test_the_cosine_ends_near_zero_and_the_constant_schedule_stays() -> None:
    assert rate_at(999, 1000, TrainSettings(rate=1.0, flat=0.3)) < 1e-4
    assert rate_at(999, 1000, TrainSettings(rate=1.0, schedule="constant")) == 1.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch": 2.5}, "batch"),
        ({"rate": -1}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"schedule": "steps"}, "schedule"),
        ({"class_weights": [1, 0]}, "class_weights"),
        ({"budget_seconds": 0}, "budget_seconds"),
        ({"mixed_precision": 1}, "mixed_precision"),
        ({"device": ""}, "device"),
        ({"momentum": 0.9}, "momentum"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(change: dict[str, Any], field: str) -> None:
    with pytest.raises(TrainingError) as caught:
        TrainSettings.from_dict(change)
    assert caught.value.field == field
    assert caught.value.fix


@given(st.builds(TrainSettings, epochs=st.integers(1, 99), rate=st.floats(1e-6, 1), ema=st.floats(0, 0.99)))
def test_settings_survive_json(settings: TrainSettings) -> None:
    assert TrainSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_a_recipe_is_what_its_documents_say_not_how_they_are_ordered() -> None:
    assert recipe_hash({"a": 1, "b": 2}, "x") == recipe_hash({"b": 2, "a": 1}, "x")
    assert recipe_hash({"a": 1}, "x") != recipe_hash({"a": 1}, "y")


def test_flat_parameters_are_the_networks_own() -> None:
    network = TabularNetwork(make_architecture(number_embedding="none"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    flat = FlatParameters(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    flat.values.fill_(2.0)
    assert all(bool((parameter == 2.0).all()) for parameter in network.parameters())
    network(**make_table(50).train).sum().backward()
    grads = np.concatenate([p.grad.reshape(-1).numpy() for p in network.parameters() if p.grad is not None])
    assert float(flat.gradients.abs().sum()) == pytest.approx(float(np.abs(grads).sum()), rel=1e-5)
