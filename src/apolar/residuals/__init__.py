"""Differential equations written in Python, as expressions of unknowns and their derivatives."""
