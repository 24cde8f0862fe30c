"""Pays torch's first-use costs once in the job host, before it forks. It trains nothing and starts no thread.

`import torch` takes seconds, and the first optimiser step imports some 800 modules more. No backward pass here: a
process that ran one cannot fork children that train. No parallel region: its threads would be missing in the child.
"""

from __future__ import annotations


def warm() -> None:
    """Import torch and what training needs, and make one optimiser step on three numbers."""
    import torch
    import torch.distributed
    from safetensors import torch as _tensors  # noqa: F401

    from .finish import finish as _finish  # noqa: F401
    from .preflight import preflight as _preflight  # noqa: F401

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.ones(3)
    torch.optim.AdamW([parameter], lr=1e-3, fused=True).step()
    torch.set_num_threads(threads)
