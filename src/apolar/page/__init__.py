"""A local page on which a typed formula is differentiated, step by step.

``server`` answers requests; what is computed, ``answer`` computes in the separate processes of ``workers``, so that a
request that takes too long can be ended. ``question`` says what may be asked, ``texts`` holds every text of the page.
"""

from apolar.extras import extra

with extra("page", "apolar serve"):
    import igraph  # noqa: F401  (explanations import these two on their own, and would name the smaller extra)
    import latex2mathml  # noqa: F401

    from apolar.page.server import application, serve

__all__ = ["application", "serve"]
