"""The cases by family, as in ``apolar/rules``."""

from __future__ import annotations

from ..case import Case, listed
from . import (
    convolution,
    elementwise,
    inplace,
    linalg,
    linear,
    losses,
    networks,
    normalisation,
    products,
    reductions,
    selection,
    shapes,
)

FAMILIES: dict[str, tuple[Case, ...]] = {
    "elementwise": elementwise.CASES,
    "products": products.CASES,
    "shapes": shapes.CASES,
    "linear": linear.CASES,
    "reductions": reductions.CASES,
    "selection": selection.CASES,
    "linalg": linalg.CASES,
    "normalisation": normalisation.CASES,
    "losses": losses.CASES,
    "convolution": convolution.CASES,
    "networks": networks.CASES,
    "inplace": inplace.CASES,
}

CASES: tuple[Case, ...] = listed([case for cases in FAMILIES.values() for case in cases])
