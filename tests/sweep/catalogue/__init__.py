"""The operators that random programs are made of; ``notation`` says how the tables are written."""

from .complex_numbers import COMPLEX_NUMBERS
from .control_flow import CONTROL_FLOW
from .elementwise import BINARY, ELEMENTWISE
from .memory import IN_PLACE, OVERWRITING, RESHAPED
from .networks import NETWORKS
from .notation import Operator
from .products import LINEAR_ALGEBRA, PRODUCTS
from .reductions import REDUCTIONS
from .shapes import SHAPES

CATALOGUE: tuple[Operator, ...] = (
    *ELEMENTWISE,
    *BINARY,
    *IN_PLACE,
    *OVERWRITING,
    *RESHAPED,
    *REDUCTIONS,
    *SHAPES,
    *PRODUCTS,
    *LINEAR_ALGEBRA,
    *NETWORKS,
    *COMPLEX_NUMBERS,
    *CONTROL_FLOW,
)
"""Every operator."""
