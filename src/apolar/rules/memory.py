"""Copies of views, which have the rules of the views, and what looks at how tensors lie in memory, which is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from apolar.rules.aten import alias, reshape, take_slice
from apolar.rules.registry import composite, refused


def copied(name: str, view: Callable[..., Any]) -> None:
    """The function of this name returns clones of what ``view`` returns."""

    @composite(name)
    def copy(x: Any, *args: Any, **kwargs: Any) -> Any:
        result = view(x, *args, **kwargs)
        return tuple(part.clone() for part in result) if isinstance(result, (tuple, list)) else result.clone()


for method in (
    "diagonal", "expand", "narrow", "permute", "select", "split", "split_with_sizes", "squeeze", "t", "transpose", "unbind",
    "unfold", "unsqueeze", "view",
):  # fmt: skip
    copied(f"{method}_copy", getattr(Tensor, method))

copied("alias_copy", alias)
copied("slice_copy", take_slice)
copied("_reshape_alias_copy", reshape)
copied("view_as_complex_copy", torch.view_as_complex)
copied("view_as_real_copy", torch.view_as_real)
copied("_conj_copy", torch.conj)
copied("_neg_view_copy", torch.neg)


refused(
    "as_strided", "as_strided_copy", "as_strided_scatter", "set_", "resize_", "resize_as_",
    reason="It reads memory, where the same tensor may lie in another order: torch.linalg.inv returns columns one after the "
    "other. Use views such as x[...] and x.unfold, or entries of x.flatten() at indices.",
)  # fmt: skip

refused(
    "to_sparse", "to_sparse_coo", "to_sparse_csr", "to_sparse_csc", "to_sparse_bsr", "to_sparse_bsc", "to_mkldnn",
    "sparse_mask", torch.sparse.sampled_addmm, torch.sparse.sum,
    reason="The components of a jet are dense: multiply by a mask, or use the dense function.",
)  # fmt: skip
