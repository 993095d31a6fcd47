"""Exact partial derivatives of any order for PyTorch."""

from apolar.algebra import Algebra, algebra
from apolar.errors import (
    ApolarError,
    CoordinateError,
    DetachedError,
    DtypeError,
    ExpressionError,
    FunctionError,
    NonFiniteError,
    OperatorError,
    RowCouplingError,
    ShapeError,
    UnsupportedOperator,
    VerificationError,
)
from apolar.evaluate import evaluate
from apolar.operators import Coordinates, Operator, coordinates
from apolar.transforms import (
    bilaplacian,
    curl,
    derivative,
    derivative_tensor,
    directional,
    divergence,
    grad,
    hessian,
    hessian_diagonal,
    hessian_trace,
    hvp,
    jacobian,
    jvp,
    laplacian,
    taylor,
    velocity_gradient,
    vhp,
    vjp,
)

__version__ = "0.1.0"
