"""The straight-line programs of an algebra, executed."""
