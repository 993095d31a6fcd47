"""Differential operators with constant coefficients, and the algebras that a pass carries. Exact, without torch."""
