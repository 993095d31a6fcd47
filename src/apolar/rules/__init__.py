"""What each torch function does to a jet: one table per family."""

from apolar.rules import (
    complex_numbers,
    convolution,
    elementwise,
    linalg,
    losses,
    metadata,
    networks,
    normalisation,
    products,
    reductions,
    selection,
    shapes,
    special,
)

__all__ = [
    "complex_numbers",
    "convolution",
    "elementwise",
    "linalg",
    "losses",
    "metadata",
    "networks",
    "normalisation",
    "products",
    "reductions",
    "selection",
    "shapes",
    "special",
]
