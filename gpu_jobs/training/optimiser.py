"""AdamW over flat parameters, with clipping, L1 and a moving average of the weights; no schedule, no loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .flat import FlatParameters
from .settings import TrainSettings


class Optimiser:
    """One AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2) step per call.

    Only weight matrices decay. The moving average (Polyak & Juditsky 1992) warms up as t / (10 + t): it is not
    stuck at the random start.

    Attributes:
        average: moving average of the values (N,), or None.
        norm: gradient norm of the last step before clipping, a scalar tensor.
    """

    def __init__(self, flat: FlatParameters, settings: TrainSettings) -> None:
        self.flat = flat
        self.settings = settings
        self.steps = 0
        self.first = torch.zeros_like(flat.values)
        self.second = torch.zeros_like(flat.values)
        self.average = flat.values.clone() if settings.ema else None
        self.norm = torch.zeros((), device=flat.values.device)
        self._counts: list[Tensor] = []
        self._adam = self._build()

    def _build(self) -> torch.optim.AdamW:
        groups: list[dict[str, Any]] = []
        for segment in self.flat.segments:
            here = slice(segment.start, segment.stop)
            leaf = nn.Parameter(self.flat.values[here])
            leaf.grad = self.flat.gradients[here]
            decay = self.settings.weight_decay if segment.decays else 0.0
            groups.append({"params": [leaf], "weight_decay": decay, "factor": segment.rate_factor})
        fused = self.flat.values.device.type in ("cpu", "cuda", "mps")
        adam = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, self.settings.beta2), fused=fused)
        for group, segment in zip(adam.param_groups, self.flat.segments, strict=True):
            here = slice(segment.start, segment.stop)
            count = torch.zeros((), device=self.flat.values.device)
            self._counts.append(count)
            adam.state[group["params"][0]] = {
                "step": count,
                "exp_avg": self.first[here],
                "exp_avg_sq": self.second[here],
            }
        return adam

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Clip the gradients in place and move the values at learning rate `rate`."""
        gradients, settings = self.flat.gradients, self.settings
        if settings.l1:
            for segment in self.flat.segments:
                if segment.decays:
                    here = slice(segment.start, segment.stop)
                    gradients[here].add_(self.flat.values[here].sign(), alpha=settings.l1)
        self.norm = torch.linalg.vector_norm(gradients)
        gradients.mul_((settings.clip_norm / (self.norm + 1e-6)).clamp_(max=1.0))
        for group in self._adam.param_groups:
            group["lr"] = rate * group["factor"]
        self._adam.step()
        self.steps += 1
        if self.average is not None:
            decay = min(settings.ema, self.steps / (10.0 + self.steps))
            self.average.lerp_(self.flat.values, 1.0 - decay)

    def tensors(self) -> dict[str, Tensor]:
        """The state, by name; with `steps` it is all there is."""
        found = {"values": self.flat.values, "first": self.first, "second": self.second}
        return found if self.average is None else {**found, "average": self.average}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Take over a state that `tensors` gave."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
        self.steps = steps
        for count in self._counts:
            count.fill_(float(steps))
