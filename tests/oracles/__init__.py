"""Independent references for derivatives.

Nothing here uses apolar except ``jets``, the one place where the tests of the rules call it.

Along lines, for the rules: ``chebyshev``, ``contour``, ``nested_reverse`` and ``series`` differentiate
g(s, t) = f(x + s v + t w) at s = t = 0, each by a method of its own; ``test_oracles`` holds them against each other.
By formulas: ``polynomials`` exactly, ``formulas`` by SymPy. For whole functions: ``torch_func``, and ``nested_autograd``
for networks. ``scenarios`` are the functions that every transform is run through.
"""
