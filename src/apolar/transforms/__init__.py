"""Derivatives in the style of torch.func: each transform takes a function and returns one.

Forward mode over the smallest algebra does most of the work. One gradient of a number in many variables is reverse mode,
and so is a Hessian in many variables: reverse mode over dual numbers.
"""

from apolar.transforms.elementwise import derivative, taylor
from apolar.transforms.fields import (
    VelocityGradient,
    bilaplacian,
    curl,
    directional,
    divergence,
    laplacian,
    velocity_gradient,
)
from apolar.transforms.first import grad, jacobian, jvp, vjp
from apolar.transforms.graph import diff
from apolar.transforms.higher import derivative_tensor
from apolar.transforms.mixed import MixedPartials, mixed_partials
from apolar.transforms.second import (
    TraceEstimate,
    hessian,
    hessian_diagonal,
    hessian_trace,
    hvp,
    vhp,
)

__all__ = [
    "MixedPartials",
    "TraceEstimate",
    "VelocityGradient",
    "bilaplacian",
    "curl",
    "derivative",
    "derivative_tensor",
    "diff",
    "directional",
    "divergence",
    "grad",
    "hessian",
    "hessian_diagonal",
    "hessian_trace",
    "hvp",
    "jacobian",
    "jvp",
    "laplacian",
    "mixed_partials",
    "taylor",
    "velocity_gradient",
    "vhp",
    "vjp",
]
