"""The tabular network: embeddings, k parallel members with shared weights, and a linear path to the output.

Axes in every shape: B rows, D input columns, F piecewise-coded columns, T bins, S values per coded column,
k members, H width, O outputs. It neither trains nor saves itself (`gpu_jobs/training`, `weights.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architecture import Architecture
from .bins import Bins
from .errors import ModelError

ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "relu": functional.relu,
    "gelu": functional.gelu,
}


@dataclass(frozen=True)
class Role:
    """How the optimiser treats a parameter: whether it decays, and a factor on the learning rate."""

    name: str
    parameter: nn.Parameter
    decays: bool
    rate_factor: float


class PiecewiseEmbedding(nn.Module):
    """Piecewise-linear code of F numbers, (B, F) to (B, F * S) (Gorishniy 2022, arXiv 2203.05556, eq. 1).

    Number x is coded by T values clamp((x - left) / width, 0, 1) and mapped linearly to S values. Outside an
    exported graph the same map is read from a table of running sums: O(B F S) instead of O(B F T S).
    """

    left: Tensor
    inverse: Tensor

    def __init__(self, bins: Bins, size: int) -> None:
        super().__init__()
        count, width = bins.left.shape
        self.register_buffer("left", torch.from_numpy(bins.left.copy()))
        self.register_buffer("inverse", torch.from_numpy(bins.inverse.copy()))
        self.weight = nn.Parameter(_uniform(count, width, size, fan=max(1, width // 2)))

    def forward(self, numbers: Tensor) -> Tensor:
        """Code the columns of `numbers` (B, F), in order."""
        if torch.onnx.is_in_onnx_export():
            return self._dense(numbers)
        return self._looked_up(numbers)

    def _dense(self, numbers: Tensor) -> Tensor:
        code = ((numbers[:, :, None] - self.left) * self.inverse).clamp(0.0, 1.0)  # (B, F, T)
        return torch.matmul(code.transpose(0, 1), self.weight).transpose(0, 1).flatten(1)

    def _looked_up(self, numbers: Tensor) -> Tensor:
        count, width, size = self.weight.shape
        weight = self.weight * (self.inverse > 0)[:, :, None]
        table = torch.cat([weight.cumsum(1) - weight, weight], 2).view(count * width, 2 * size)
        place = torch.searchsorted(self.left[:, 1:].contiguous(), numbers.t().contiguous(), right=True)  # (F, B)
        share = ((numbers.t() - self.left.gather(1, place)) * self.inverse.gather(1, place)).clamp(0.0, 1.0)
        start = torch.arange(count, device=place.device)[:, None] * width
        found = functional.embedding(place + start, table)  # (F, B, 2 S)
        return (found[..., :size] + share[:, :, None] * found[..., size:]).transpose(0, 1).flatten(1)


class TabularNetwork(nn.Module):
    """The network of an `Architecture`.

    Each member sees the inputs times its own scale vector, then shares every weight matrix with the others,
    and has its own biases and head (TabM-mini, Gorishniy et al. 2024, arXiv 2410.24210). A linear map from
    inputs to output starts at zero and is added to every member.

    Args:
        architecture: what to build; weights are drawn from torch's default generator.
        bins: edges of the piecewise embedding; needed when `number_embedding` is "piecewise".
    """

    columns: Tensor
    offsets: Tensor

    def __init__(self, architecture: Architecture, bins: Bins | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture
        inputs = arch.inputs.numbers + self._add_categories() + self._add_bins(bins)
        members, sizes = arch.members, [inputs] + [arch.width] * arch.depth
        self.skip = nn.Linear(inputs, arch.outputs) if arch.linear_skip else None
        if self.skip is not None:
            nn.init.zeros_(self.skip.weight)
            nn.init.zeros_(self.skip.bias)
        if arch.depth == 0:
            return
        self.start = nn.Parameter(torch.ones(members, 1, inputs))
        if members > 1:
            self.start.data = torch.randint(0, 2, (members, 1, inputs)) * 2.0 - 1.0
        pairs = list(pairwise(sizes))
        self.weights = nn.ParameterList(nn.Parameter(_uniform(a, b, fan=a)) for a, b in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, b)) for _, b in pairs)
        scales = pairs if arch.scale_members else []
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(members, 1, b)) for _, b in scales)
        norms = pairs if arch.batch_norm else []
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for _, b in norms)
        self.head = nn.Parameter(_uniform(members, arch.width, arch.outputs, fan=arch.width))
        self.head_bias = nn.Parameter(torch.zeros(members, 1, arch.outputs))

    def _add_categories(self) -> int:
        levels = self.architecture.inputs.categories
        if not levels:
            return 0
        size = min(self.architecture.embedding_size, max(levels))
        starts = torch.tensor([0, *levels[:-1]]).cumsum(0)
        self.register_buffer("offsets", starts)
        self.embedding = nn.Parameter(torch.randn(sum(levels), size) / math.sqrt(size))
        return len(levels) * size

    def _add_bins(self, bins: Bins | None) -> int:
        arch = self.architecture
        if arch.number_embedding == "none" or not arch.inputs.numbers:
            self.piecewise = None
            return 0
        if bins is None:
            raise ModelError(
                "number_embedding 'piecewise' needs bin edges",
                code="model.bins",
                fix="pass compute_bins(train rows)",
            )
        if not len(bins.columns):
            self.piecewise = None
            return 0
        self.register_buffer("columns", torch.from_numpy(bins.columns.copy()))
        self.piecewise = PiecewiseEmbedding(bins, arch.bin_size)
        return len(bins.columns) * arch.bin_size

    def forward(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        """Outputs of every member, (k, B, O): logits of the classes, or the standardised target (O = 1).

        Args:
            numbers: float32 (B, d), absent when the architecture has none.
            categories: int64 (B, c), absent when the architecture has none.
        """
        inputs = self._inputs(numbers, categories)
        straight: Tensor | None = None if self.skip is None else self.skip(inputs)
        if self.architecture.depth == 0:
            assert straight is not None
            return straight.expand(self.architecture.members, -1, -1)
        hidden = inputs * self.start  # (k, B, D)
        for index in range(self.architecture.depth):
            hidden = self._block(index, hidden)
        output = torch.matmul(hidden, self.head) + self.head_bias
        return output if straight is None else output + straight

    def _inputs(self, numbers: Tensor | None, categories: Tensor | None) -> Tensor:
        parts = []
        if numbers is not None and self.architecture.inputs.numbers:
            parts.append(numbers)
            if self.piecewise is not None:
                parts.append(self.piecewise(numbers.index_select(1, self.columns)))
        if categories is not None and self.architecture.inputs.categories:
            parts.append(functional.embedding(categories + self.offsets, self.embedding).flatten(1))
        if not parts:
            raise ModelError("the network was called without its inputs", code="model.inputs")
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def _block(self, index: int, hidden: Tensor) -> Tensor:
        arch = self.architecture
        hidden = torch.matmul(hidden, self.weights[index])  # (k, B, H)
        if arch.scale_members:
            hidden = hidden * self.scales[index]
        hidden = hidden + self.biases[index]
        if arch.batch_norm:
            hidden = self.norms[index](hidden.flatten(0, 1)).view(arch.members, -1, arch.width)
        hidden = ACTIVATION[arch.activation](hidden)
        if self.training and arch.dropout:  # one mask for all members: k times fewer random numbers
            keep = torch.empty_like(hidden[:1]).bernoulli_(1.0 - arch.dropout).div_(1.0 - arch.dropout)
            hidden = hidden * keep
        return hidden

    def roles(self) -> Iterator[Role]:
        """Every parameter with its treatment: only weight matrices decay; the first scales learn faster."""
        for name, parameter in self.named_parameters():
            factor = 3.0 if name == "start" and self.architecture.members > 1 else 1.0
            plain = ("bias", "norms", "start", "scales", "embedding")
            yield Role(name, parameter, not any(word in name for word in plain), factor)


class Predictor(nn.Module):
    """A network in evaluation mode with its members combined; the form to export.

    Output: for classes the mean of the members' probabilities, float32 (B, classes), rows summing to 1, in
    label order; for regression the mean of the members' values, float32 (B,), in the *standardised* target
    (value * std + mean and the inverse of the target transform give target units).
    """

    def __init__(self, network: TabularNetwork) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        """Probabilities (B, classes) or standardised values (B,)."""
        return combine(self.network(numbers, categories), self.network.architecture.classes)


def combine(outputs: Tensor, classes: int) -> Tensor:
    """Member outputs (k, B, O) to probabilities (B, classes), or to values (B,) when classes is 0."""
    if classes:
        return outputs.softmax(-1).mean(0)
    return outputs.mean(0).squeeze(-1)


def _uniform(*shape: int, fan: int) -> Tensor:
    """Uniform start in +-1 / sqrt(fan)."""
    return (torch.rand(*shape) * 2.0 - 1.0) / math.sqrt(fan)
