"""Exact partial derivatives of any order for PyTorch."""

from apolar.algebra import Algebra, algebra
from apolar.check import Check, check
from apolar.compile import Compiled, compile
from apolar.diagnose import Card, Diagnosis, Finding, diagnose, inspect, watch
from apolar.errors import (
    ApolarError,
    CaptureError,
    CoordinateError,
    DetachedError,
    DtypeError,
    ExpressionError,
    FunctionError,
    GraphError,
    LanguageError,
    NonFiniteError,
    OperatorError,
    RowCouplingError,
    SettingError,
    ShapeError,
    SingularPoint,
    UnsupportedOperator,
    VerificationError,
)
from apolar.evaluate import evaluate
from apolar.explain import Explanation, explain
from apolar.kernels.settings import settings
from apolar.operators import Coordinates, Operator, coordinates
from apolar.plan import Plan, plan
from apolar.residual import Residual, residual
from apolar.supported import SupportedOperator, supported_operators
from apolar.transforms import (
    MixedPartials,
    TraceEstimate,
    VelocityGradient,
    bilaplacian,
    curl,
    derivative,
    derivative_tensor,
    diff,
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
    mixed_partials,
    taylor,
    velocity_gradient,
    vhp,
    vjp,
)

__version__ = "0.1.0"
