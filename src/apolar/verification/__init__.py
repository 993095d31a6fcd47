"""What can be trusted: checks against independent methods, verified operators, plans."""
