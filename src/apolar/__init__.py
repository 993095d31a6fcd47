"""Exact partial derivatives of any order for PyTorch."""

from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Coordinates, Operator, coordinates
from apolar.compilation.compile import Compiled, compile
from apolar.diagnosis import Card, Diagnosis, Finding, diagnose, inspect, watch
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
    TorchVersionError,
    UnsupportedOperator,
    VerificationError,
)
from apolar.evaluation.evaluate import evaluate
from apolar.explanation import Explanation, explain
from apolar.kernels.settings import settings
from apolar.residuals.residual import Residual, residual
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
from apolar.verification.check import Check, check
from apolar.verification.plan import Plan, plan
from apolar.verification.supported import SupportedOperator, supported_operators

__version__ = "0.1.0"
