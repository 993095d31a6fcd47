"""Exact partial derivatives of any order for PyTorch."""

__version__ = "0.1.0"
