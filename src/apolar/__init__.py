"""Exact partial derivatives of any order for PyTorch.

Names only: the module of a name is imported when the name is first asked for. So ``import apolar`` does not wait for tools
that are not used, and ``apolar --help`` not for PyTorch.
"""

from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "apolar.algebras.algebra": "Algebra algebra",
    "apolar.algebras.operators": "Coordinates Operator coordinates",
    "apolar.compilation.compile": "Compiled compile",
    "apolar.diagnosis.ask": "diagnose",
    "apolar.diagnosis.card": "Card inspect",
    "apolar.diagnosis.finding": "Diagnosis Finding",
    "apolar.diagnosis.watch": "watch",
    "apolar.errors": (
        "ApolarError CaptureError CoordinateError DetachedError DtypeError ExpressionError FunctionError GraphError "
        "LanguageError MissingExtra ModifiedError NonFiniteError OperatorError PrecisionError RowCouplingError RuleError "
        "SettingError ShapeError SingularPoint TorchVersionError UnsupportedOperator VerificationError"
    ),
    "apolar.evaluation.evaluate": "evaluate",
    "apolar.explanation": "Explanation explain",
    "apolar.kernels.settings": "settings",
    "apolar.residuals.residual": "Residual residual",
    "apolar.rules": "register",
    "apolar.rules.constants": "constant",
    "apolar.transforms": (
        "MixedPartials TraceEstimate VelocityGradient bilaplacian curl derivative derivative_tensor diff directional "
        "divergence grad hessian hessian_diagonal hessian_trace hvp jacobian jvp laplacian mixed_partials taylor "
        "velocity_gradient vhp vjp"
    ),
    "apolar.verification.check": "Check check",
    "apolar.verification.plan": "Plan plan",
    "apolar.verification.supported": "SupportedOperator supported_operators",
}
"""The public names by the modules that define them."""

if TYPE_CHECKING:  # the same names, for type checkers, editors and the documentation
    from apolar.algebras.algebra import Algebra as Algebra, algebra as algebra
    from apolar.algebras.operators import Coordinates as Coordinates, Operator as Operator, coordinates as coordinates
    from apolar.compilation.compile import Compiled as Compiled, compile as compile
    from apolar.diagnosis.ask import diagnose as diagnose
    from apolar.diagnosis.card import Card as Card, inspect as inspect
    from apolar.diagnosis.finding import Diagnosis as Diagnosis, Finding as Finding
    from apolar.diagnosis.watch import watch as watch
    from apolar.errors import (
        ApolarError as ApolarError,
        CaptureError as CaptureError,
        CoordinateError as CoordinateError,
        DetachedError as DetachedError,
        DtypeError as DtypeError,
        ExpressionError as ExpressionError,
        FunctionError as FunctionError,
        GraphError as GraphError,
        LanguageError as LanguageError,
        MissingExtra as MissingExtra,
        ModifiedError as ModifiedError,
        NonFiniteError as NonFiniteError,
        OperatorError as OperatorError,
        RowCouplingError as RowCouplingError,
        RuleError as RuleError,
        SettingError as SettingError,
        ShapeError as ShapeError,
        PrecisionError as PrecisionError,
        SingularPoint as SingularPoint,
        TorchVersionError as TorchVersionError,
        UnsupportedOperator as UnsupportedOperator,
        VerificationError as VerificationError,
    )
    from apolar.evaluation.evaluate import evaluate as evaluate
    from apolar.explanation import Explanation as Explanation, explain as explain
    from apolar.kernels.settings import settings as settings
    from apolar.residuals.residual import Residual as Residual, residual as residual
    from apolar.rules import register as register
    from apolar.rules.constants import constant as constant
    from apolar.transforms import (
        MixedPartials as MixedPartials,
        TraceEstimate as TraceEstimate,
        VelocityGradient as VelocityGradient,
        bilaplacian as bilaplacian,
        curl as curl,
        derivative as derivative,
        derivative_tensor as derivative_tensor,
        diff as diff,
        directional as directional,
        divergence as divergence,
        grad as grad,
        hessian as hessian,
        hessian_diagonal as hessian_diagonal,
        hessian_trace as hessian_trace,
        hvp as hvp,
        jacobian as jacobian,
        jvp as jvp,
        laplacian as laplacian,
        mixed_partials as mixed_partials,
        taylor as taylor,
        velocity_gradient as velocity_gradient,
        vhp as vhp,
        vjp as vjp,
    )
    from apolar.verification.check import Check as Check, check as check
    from apolar.verification.plan import Plan as Plan, plan as plan
    from apolar.verification.supported import (
        SupportedOperator as SupportedOperator,
        supported_operators as supported_operators,
    )
else:
    _MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
    _IMPORTING = RLock()
    __all__ = [*_MODULES]

    def __getattr__(name: str) -> Any:
        """A public name, from its module, or a module; it stays, so that this is called once for each."""
        with _IMPORTING:  # modules that import each other are not to be begun by two threads
            if name in _MODULES:
                value = globals()[name] = getattr(import_module(_MODULES[name]), name)
                return value
            if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
                return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]
