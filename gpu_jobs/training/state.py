"""The tensors of a training run: taken for a checkpoint, and put back to the last bit."""

from __future__ import annotations

import torch
from torch import Tensor

from .step import Stepper


def capture(stepper: Stepper, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights, both moments, moving average, norm statistics, the epoch's sums, generator, best."""
    found = {f"optimiser.{name}": tensor for name, tensor in stepper.optimiser.tensors().items()}
    found |= {f"buffer.{name}": tensor for name, tensor in norms(stepper).items()}
    found |= {f"best.{name}": tensor for name, tensor in best.items()}
    found["loss_sum"], found["norm_sum"] = stepper.loss_sum, stepper.norm_sum
    found["generator"] = torch.default_generator.get_state()
    return found


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, independent of further steps."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@torch.no_grad()
def restore(stepper: Stepper, tensors: dict[str, Tensor], steps: int) -> dict[str, Tensor]:
    """Put back what `capture` took after `steps` optimiser steps; returns the best weights inside."""
    stepper.optimiser.restore(_part(tensors, "optimiser."), steps)
    for name, tensor in norms(stepper).items():
        tensor.copy_(tensors[f"buffer.{name}"])
    stepper.loss_sum.copy_(tensors["loss_sum"])
    stepper.norm_sum.copy_(tensors["norm_sum"])
    torch.default_generator.set_state(tensors["generator"].cpu())
    return {name: tensor.to(stepper.device) for name, tensor in _part(tensors, "best.").items()}


def evaluated(stepper: Stepper) -> dict[str, Tensor]:
    """A copy of what the network evaluates with now: call inside `Stepper.averaged`."""
    return copied({"values": stepper.flat.values, **norms(stepper)})


@torch.no_grad()
def put(stepper: Stepper, best: dict[str, Tensor]) -> None:
    """Make the network evaluate with what `evaluated` copied."""
    stepper.flat.values.copy_(best["values"])
    for name, tensor in norms(stepper).items():
        tensor.copy_(best[name])


def norms(stepper: Stepper) -> dict[str, Tensor]:
    """Running statistics of batch norm, the only buffers that training changes."""
    return {name: value for name, value in stepper.network.named_buffers() if name.startswith("norms.")}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
