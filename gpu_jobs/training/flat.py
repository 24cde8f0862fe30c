"""All parameters of a network in one buffer, and all gradients in another, so a step is a few big operations.

Clipping, averaging over workers, the moving average and checkpoints each touch one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..models.network import TabularNetwork

ALIGN = 16
"""Floats; every parameter starts on a 64-byte boundary. The padding stays zero."""


@dataclass(frozen=True)
class Segment:
    """A run of the buffer whose parameters are treated alike."""

    start: int
    stop: int
    decays: bool
    rate_factor: float


class FlatParameters:
    """Views every parameter of `network` into `values` (N,) and its gradient into `gradients` (N,).

    The two floats behind the gradients (loss, wish to stop) are summed over workers together with them.

    Attributes:
        values: the parameters, float32 (N,).
        gradients: their gradients (N,), a view of `shared`.
        shared: gradients, loss and wish to stop, float32 (N + 2,).
        segments: runs of equal treatment that cover `values`.
    """

    def __init__(self, network: TabularNetwork) -> None:
        roles = sorted(network.roles(), key=lambda role: (not role.decays, role.rate_factor))
        device = roles[0].parameter.device
        spans: list[tuple[int, nn.Parameter]] = []
        self.segments: list[Segment] = []
        place = 0
        for role in roles:
            spans.append((place, role.parameter))
            size = -(-role.parameter.numel() // ALIGN) * ALIGN
            last = self.segments[-1] if self.segments else None
            if last and (last.decays, last.rate_factor) == (role.decays, role.rate_factor):
                self.segments[-1] = Segment(last.start, place + size, role.decays, role.rate_factor)
            else:
                self.segments.append(Segment(place, place + size, role.decays, role.rate_factor))
            place += size
        self.values = torch.zeros(place, device=device)
        self.shared = torch.zeros(place + 2, device=device)
        self.gradients = self.shared[:place]
        for start, parameter in spans:
            here = slice(start, start + parameter.numel())
            self.values[here] = parameter.detach().reshape(-1)
            parameter.data = self.values[here].view(parameter.shape)
            parameter.grad = self.gradients[here].view(parameter.shape)
