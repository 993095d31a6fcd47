"""What each torch function does to a jet: one table per family."""

from apolar.rules import elementwise, metadata, products

__all__ = ["elementwise", "metadata", "products"]
