"""The methods that are compared, a file each. The first one is ours, the second one ours too.

A peer says how to prepare a step for a problem. It raises :class:`LeftOut` with the reason where it cannot.
"""

from __future__ import annotations

from .apolar import APOLAR
from .captured import CAPTURED_STEP
from .folx import FOLX
from .functional import HESSIAN, JVP_GRAD
from .jax import JAX_HESSIAN, JAX_JET
from .nested import NESTED
from .peer import LeftOut, Peer
from .torch_jet import TORCH_JET, TORCH_JET_COMPILED

PEERS = (APOLAR, CAPTURED_STEP, NESTED, HESSIAN, JVP_GRAD, JAX_HESSIAN, JAX_JET, FOLX, TORCH_JET, TORCH_JET_COMPILED)

__all__ = ["PEERS", "LeftOut", "Peer"]
