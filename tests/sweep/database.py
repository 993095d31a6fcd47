"""PyTorch's own database of operators with sample inputs, as functions of the tensors that may move.

Nobody here wrote it: ``torch.testing._internal.common_methods_invocations.op_db``, 702 entries in PyTorch 2.13, of which
531 can be differentiated twice in float64.
"""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from tests.oracles.lines import Function

MANY = 2000
DTYPES = (torch.float64, torch.complex128)


@dataclass(frozen=True)
class Sample:
    """A call of an operator.

    Attributes:
        entry: the name of the operator in the database.
        number: counts the samples of the entry and dtype.
        dtype: of the moving tensors.
        function: the operator as a function of the moving tensors; a random one draws the same numbers at every call.
        inputs: the moving tensors.
        variants: the same call as a method, in place, and as an operator, where they exist.
    """

    entry: str
    number: int
    dtype: torch.dtype
    function: Function = field(repr=False)
    inputs: tuple[Tensor, ...] = field(repr=False)
    variants: dict[str, Function] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.entry}[{self.number}, {str(self.dtype).removeprefix('torch.')}]"

    def directions(self) -> tuple[list[Tensor], list[Tensor]]:
        """Two random directions, the same in every run, with entries of absolute value at most 1."""
        generator = torch.Generator().manual_seed(zlib.crc32(str(self).encode()))

        def direction(x: Tensor) -> Tensor:
            parts = (2 if x.is_complex() else 1, *x.shape)
            uniform = 2 * torch.rand(parts, generator=generator, dtype=torch.float64) - 1
            return torch.complex(*uniform) / 2**0.5 if x.is_complex() else uniform[0]

        return [direction(x) for x in self.inputs], [direction(x) for x in self.inputs]


@cache
def entries() -> dict[str, Any]:
    """The differentiable operators by name: twice, in float64."""
    with contextlib.redirect_stderr(io.StringIO()):
        from torch.testing._internal.common_methods_invocations import op_db
    return {
        op.name + (f".{op.variant_test_name}" if op.variant_test_name else ""): op
        for op in op_db
        if op.supports_autograd and op.supports_gradgrad and torch.float64 in op.dtypes
    }


def samples(entry: str, dtype: torch.dtype = torch.float64) -> Iterator[Sample]:
    """Every sample input of an operator with something to differentiate."""
    op = entries()[entry]
    if dtype not in op.dtypes:
        return
    torch.manual_seed(zlib.crc32(entry.encode()))
    for number, sample in enumerate(list(op.sample_inputs("cpu", dtype, requires_grad=True))):
        leaves, tree = tree_flatten((sample.input, tuple(sample.args), dict(sample.kwargs)))
        moving = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]
        if not moving:
            continue
        leaves = [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        for k in moving:
            leaves[k] = leaves[k].double() if leaves[k].dtype == torch.float32 else leaves[k]

        as_function = partial(
            function_of, leaves=leaves, tree=tree, moving=moving, process=sample.output_process_fn_grad
        )
        variants = {
            "method": op.get_method(),
            "in place": op.get_inplace(),
            "operator": op.get_operator(),
            "in-place operator": op.get_inplace_operator(),
        }
        yield Sample(
            entry,
            number,
            dtype,
            as_function(op.get_op()),
            tuple(leaves[k] for k in moving),
            {name: as_function(call) for name, call in variants.items() if call is not None},
        )


def function_of(
    call: Callable[..., Any], leaves: list[Any], tree: Any, moving: list[int], process: Callable[[Any], Any]
) -> Function:
    """A call as a function of the arguments that move."""

    def function(*inputs: Tensor) -> Any:
        given = list(leaves)
        for k, x in zip(moving, inputs):
            given[k] = x
        first, args, kwargs = tree_unflatten(given, tree)
        torch.default_generator.manual_seed(0)
        return thinned(process(call(first, *args, **kwargs)))

    return function


def thinned(output: Any) -> Any:
    """At most MANY entries of every tensor in a nest, spread evenly."""

    def part(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf.layout != torch.strided or leaf.numel() <= MANY:
            return leaf
        return leaf.reshape(-1)[torch.linspace(0, leaf.numel() - 1, MANY, dtype=torch.int64)]

    return tree_map(part, output)
