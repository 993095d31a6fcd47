# One operator is one line.
# fmt: off
"""Python that looks at values."""

from .notation import taking

CONTROL_FLOW = taking("...",
    "{x} * 2 if {x}.sum() > 0 else torch.sin({x})",
    "torch.exp(-{x} ** 2) if bool(({x} > 0).all()) else {x} ** 2",
    "{r} = {x}\nwhile {r}.abs().max() > 0.7:\n    {r} = 0.6 * torch.sin({r})",
    "{r} = {x}\nfor power in range(2, 4):\n    {r} = {r} + {x}.tanh() ** power",
    "{r} = {x}\nif {x}.max() > 0.5:\n    {r} = {r} - {x}.max()",
    "{x} * int({x}.numel() > 2) + {x} ** 2",
    "(lambda t: t * t.sigmoid())({x})",
) + taking("... a",
    "{r} = 0\nfor row in {x}:\n    {r} = {r} * 0.5 + row.sin()",
    "{r} = {x}[0]\nfor row in {x}[1:]:\n    {r} = torch.maximum({r}, row) if row.sum() > 0 else {r} * row",
    "sorted({x}.reshape(-1))[0]",
    "max({x}.reshape(-1)) - min({x}.reshape(-1))",
    "sum({x}.flatten())",
    "torch.stack([entry * entry if entry > 0 else entry.exp() for entry in {x}.reshape(-1)])",
)
"""Python that looks at values."""
