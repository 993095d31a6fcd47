"""What a run of a function changes besides its result: buffers of modules, and torch's random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class State:
    """The buffers of modules and torch's random numbers at one time, to be put back before the function runs again."""

    def __init__(self, modules: Iterable[nn.Module], points: Sequence[Tensor]) -> None:
        self.random = torch.get_rng_state()
        self.cuda = {x.device: torch.cuda.get_rng_state(x.device) for x in points if x.is_cuda}
        held = [(m._buffers, name, b) for m in modules for name, b in m._buffers.items() if b is not None]
        with torch.no_grad():
            self.buffers = [(buffers, name, b, b.clone()) for buffers, name, b in held]

    def restore(self) -> None:
        """Put everything back."""
        torch.set_rng_state(self.random)
        for device, state in self.cuda.items():
            torch.cuda.set_rng_state(state, device)
        with torch.no_grad():
            for buffers, name, buffer, values in self.buffers:
                buffers[name] = buffer
                if not torch.equal(buffer, values):
                    buffer.copy_(values)
