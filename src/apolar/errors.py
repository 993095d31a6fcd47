"""What can go wrong, as classes. Every message says what was found, with the shapes or names at hand, and what to do."""


class ApolarError(Exception):
    """Anything that apolar refuses to do."""


class CoordinateError(ApolarError, ValueError):
    """A coordinate system or one of its names does not make sense."""


class OperatorError(ApolarError, ValueError):
    """A differential operator was built or combined in a way that has no meaning."""


class ShapeError(ApolarError, ValueError):
    """Points, directions or results do not have the shape that the operator needs."""


class DtypeError(ApolarError, TypeError):
    """A tensor has a dtype that cannot be differentiated."""


class NonFiniteError(ApolarError, ValueError):
    """The points contain NaN or infinity."""


class FunctionError(ApolarError, RuntimeError):
    """The function to be differentiated failed, or returned something that is not a tensor."""


class DetachedError(ApolarError, RuntimeError):
    """The function takes a value out of the computation (`.detach()`, `.item()`, …), and its derivative with it."""


class ModifiedError(ApolarError, RuntimeError):
    """Something was changed that a backward pass needs as it was."""


class GraphError(ApolarError, RuntimeError):
    """Autograd's graph does not lead from the result to the input."""


class RowCouplingError(ApolarError, RuntimeError):
    """The function mixes rows, so that a derivative per row does not exist."""


class UnsupportedOperator(ApolarError, NotImplementedError):
    """The function calls something for which apolar has no rule: never a wrong number instead.

    Attributes:
        into_plain: that derivatives were to be written into a plain tensor.
    """

    into_plain = False


class RuleError(ApolarError, ValueError):
    """A rule that cannot be registered."""


class SingularPoint(ApolarError, ArithmeticError):
    """The function has no derivative of the order that was asked for at a point; with ``check_finite``, not a finite one."""


class PrecisionError(ApolarError, ArithmeticError):
    """Rounding leaves no digit of a derivative."""


class ExpressionError(ApolarError, ValueError):
    """A typed expression could not be read."""


class VerificationError(ApolarError, AssertionError):
    """A derivative disagrees with an independent reference."""


class SettingError(ApolarError, ValueError):
    """A setting that does not exist."""


class CaptureError(ApolarError, RuntimeError):
    """A function cannot be captured as a list of operations."""


class LanguageError(ApolarError, ValueError):
    """A language without texts."""


class TorchVersionError(ApolarError, ImportError):
    """The installed version of PyTorch lacks something that apolar relies on."""


class MissingExtra(ApolarError, ImportError):
    """A package is not installed that only some of the tools need."""
