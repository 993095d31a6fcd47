"""Independent references for derivatives.

Nothing here uses apolar except ``jets``, the one place where the tests call it. Each reference differentiates
g(s, t) = f(x + s v + t w) at s = t = 0 by a method of its own; ``test_oracles`` holds them against each other.
"""
