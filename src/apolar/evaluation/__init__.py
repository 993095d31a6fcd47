"""One lifted pass: points, seeds, the call of f, the operators read out."""
