"""Chains on a CPU as one call: every thread takes blocks of rows that stay in its cache through all links.

The programs of the compositions are those of ``compiled``; matrix products are those of the library that torch brings.
Gradients with respect to weights are added up thread by thread, and then over the threads, always in the same order.
"""

from __future__ import annotations

import ctypes
import itertools
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apolar.kernels import compiled, memory, native
from apolar.kernels.composition import Composition
from apolar.kernels.settings import current

BLOCK = 1 << 18
"""Bytes that the components of a block take at the widest place: a few such blocks stay in the cache of a core."""

PRODUCTS = {torch.float32: "sgemm_", torch.float64: "dgemm_"}

SOURCE = r"""
#include <cstring>
#include <algorithm>
using T = {type};
using Product = void (*)(const char*, const char*, const int*, const int*, const int*, const T*, const T*, const int*,
                         const T*, const int*, const T*, T*, const int*);
using Stacked = void (*)(const T*, T*, long, long, long);
using Uniform = void (*)(const T*, const T*, T*, long, long, long);
using StackedBack = void (*)(const T*, const T*, T*, long, long, long);
using UniformBack = void (*)(const T*, const T*, const T*, T*, T*, long, long, long);

struct Link {  // a layer has a weight and no functions
  const T *weight, *bias;
  void *forward, *backward;
  long uniform, from, to;        // columns
  long components, results;      // how many are stacked
};

// C = A·B + beta·C for matrices whose rows lie one behind the other; A or B transposed where asked for.
static void product(Product gemm, bool ta, bool tb, long m, long n, long k, const T* a, const T* b, T beta, T* c) {
  const int M = m, N = n, K = k, lda = ta ? m : k, ldb = tb ? k : n, ldc = n;
  const T one = 1;
  gemm(tb ? "T" : "N", ta ? "T" : "N", &N, &M, &K, &one, b, &ldb, a, &lda, &beta, c, &ldc);
}

// Rows of stacked components from one place to another, in both of which components are so far apart.
static void rows(const T* source, long apart, T* target, long there, long components, long entries) {
  for (long k = 0; k < components; ++k) std::memcpy(target + k * there, source + k * apart, entries * sizeof(T));
}

extern "C" void forward(const Link* links, long count, const T* x, const T* tangent, T* const* kept, T* result,
                        T* scratch, long space, long total, long blocks, long threads, Product gemm) {
  #pragma omp parallel for num_threads(threads) schedule(static)
  for (long thread = 0; thread < threads; ++thread) {
    T *here = scratch + 2 * thread * space, *other = here + space;
    for (long block = blocks * thread / threads; block < blocks * (thread + 1) / threads; ++block) {
      const long first = total * block / blocks, n = total * (block + 1) / blocks - first;
      const Link& start = links[0];
      const T* input = x + first * start.from;
      if (!start.uniform && start.components > 1) {
        rows(input, total * start.from, here, n * start.from, start.components, n * start.from);
        input = here;
        std::swap(here, other);
      }
      for (long l = 0; l < count; ++l) {
        const Link& link = links[l];
        const bool last = l == count - 1, direct = last && link.results == 1;
        T* output = direct ? result + first * link.to
                  : kept && !last && kept[l] ? kept[l] + first * link.results * link.to : here;
        if (link.weight) {
          product(gemm, false, true, link.components * n, link.to, link.from, input, link.weight, 0, output);
          if (link.bias)
            for (long r = 0; r < n; ++r)
              for (long j = 0; j < link.to; ++j) output[r * link.to + j] += link.bias[j];
        } else if (link.uniform) {
          reinterpret_cast<Uniform>(link.forward)(input, tangent, output, n, link.from, 1);
        } else {
          reinterpret_cast<Stacked>(link.forward)(input, output, n, link.from, 1);
        }
        if (last && !direct) rows(output, n * link.to, result + first * link.to, total * link.to, link.results, n * link.to);
        if (output == here) std::swap(here, other);
        input = output;
      }
    }
  }
}

extern "C" void backward(const Link* links, long count, const T* x, const T* tangent, T* const* kept, const T* cotangent,
                         T* x_bar, T* tangent_bar, T* const* weight_bar, T* const* bias_bar, long apart,
                         T* scratch, long space, long total, long blocks, long threads, Product gemm) {
  #pragma omp parallel for num_threads(threads) schedule(static)
  for (long thread = 0; thread < threads; ++thread) {
    T *here = scratch + 4 * thread * space, *other = here + space, *inputs = other + space, *spare = inputs + space;
    for (long block = blocks * thread / threads; block < blocks * (thread + 1) / threads; ++block) {
      const long first = total * block / blocks, n = total * (block + 1) / blocks - first;
      const Link& end = links[count - 1];
      const T* w = cotangent + first * end.to;
      if (end.results > 1) {
        rows(w, total * end.to, here, n * end.to, end.results, n * end.to);
        w = here;
        std::swap(here, other);
      }
      for (long l = count - 1; l >= 0; --l) {
        const Link& link = links[l];
        const T* input = l ? kept[l - 1] + first * link.components * link.from : x + first * link.from;
        if (l && !kept[l - 1] && weight_bar[l]) {  // the result of the composition before, once more
          const Link& before = links[l - 1];
          const T* given = l > 1 ? kept[l - 2] + first * before.components * before.from : x + first * before.from;
          if (l == 1 && !before.uniform && before.components > 1) {
            rows(given, total * before.from, spare, n * before.from, before.components, n * before.from);
            given = spare;
          }
          if (before.uniform) reinterpret_cast<Uniform>(before.forward)(given, tangent, inputs, n, before.from, 1);
          else reinterpret_cast<Stacked>(before.forward)(given, inputs, n, before.from, 1);
          input = inputs;
        }
        if (!l && !link.uniform && link.components > 1) {
          rows(input, total * link.from, inputs, n * link.from, link.components, n * link.from);
          input = inputs;
        }
        const bool direct = !l && (link.uniform || link.components == 1);
        T* output = direct && x_bar ? x_bar + first * link.from : here;
        if (link.weight) {
          const long all = link.components * n;
          if (weight_bar[l])
            product(gemm, true, false, link.to, link.from, all, w, input, 1, weight_bar[l] + thread * apart);
          if (bias_bar[l] && link.bias)
            for (long r = 0; r < n; ++r)
              for (long j = 0; j < link.to; ++j) bias_bar[l][thread * apart + j] += w[r * link.to + j];
          if (l || x_bar) product(gemm, false, false, all, link.from, link.to, w, link.weight, 0, output);
        } else if (link.uniform) {
          const long size = (link.components - 1) * link.from;
          reinterpret_cast<UniformBack>(link.backward)(input, tangent, w, output, inputs, n, link.from, 1);
          for (long j = 0; j < size; ++j) tangent_bar[thread * apart + j] += inputs[j];
        } else {
          reinterpret_cast<StackedBack>(link.backward)(input, w, output, n, link.from, 1);
        }
        if (!l && !direct && x_bar)
          rows(output, n * link.from, x_bar + first * link.from, total * link.from, link.components, n * link.from);
        w = output;
        std::swap(here, other);
      }
    }
  }
}
"""


class Driver:
    """The two passes for one dtype, compiled in the background."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.ready = False
        self.builder = native.in_background(self._build)

    def _build(self) -> None:
        try:
            library = native.library(SOURCE.replace("{type}", compiled.TYPES[self.dtype]))
            torch_library = next(Path(torch.__file__).parent.glob("lib/libtorch_cpu.*"))
            product = getattr(ctypes.CDLL(str(torch_library)), PRODUCTS[self.dtype])
        except Exception:  # no compiler, or another library for matrix products: the chain runs link by link
            return
        self.forward, self.backward = library.forward, library.backward
        self.product = ctypes.cast(product, ctypes.c_void_p).value or 0
        whole, pointer = ctypes.c_long, ctypes.c_void_p
        self.forward.argtypes = [pointer, whole, *[pointer] * 5, whole, whole, whole, whole, pointer]
        self.backward.argtypes = [pointer, whole, *[pointer] * 8, whole, pointer, whole, whole, whole, whole, pointer]
        self.forward.restype = self.backward.restype = None
        self.ready = True


_driver = cache(Driver)


class Layout:
    """How a chain runs for certain tensors.

    Attributes:
        table: the links as the passes take them.
        rows: how many rows there are.
        blocks, threads: how they are divided.
        space: numbers that the components of a block take at the widest place.
    """

    def __init__(
        self, links: Sequence[Any], tensors: Sequence[Tensor], operands: int, driver: Driver, back: bool
    ) -> None:
        x = tensors[0]
        self.driver, self.rows = driver, x[0].numel() // x.shape[-1]
        components, columns = sum(map(len, tensors[:operands])), x.shape[-1]
        parameters = iter(tensors[operands:])
        numbers, self.sizes, widest = [], [], components * columns
        for link in links:
            if isinstance(link, Composition):
                functions = [_address(link, name, x.dtype) for name in ("forward", "backward")[: 1 + back]]
                row = [0, 0, functions[0], functions[-1], int(link.tangents is not None), columns, columns]
                results = len(link.results)
            else:
                weight = next(parameters)
                bias = next(parameters).data_ptr() if link.bias else 0
                row = [weight.data_ptr(), bias if link.value else 0, 0, 0, 0, columns, len(weight)]
                results = components
            numbers += [*row, components, results]
            components, columns = results, row[-1]
            self.sizes.append(components * columns)
            widest = max(widest, components * columns)
        self.table = array("q", numbers)
        threads = torch.get_num_threads() if self.rows * widest >= compiled.PARALLEL else 1
        each = -(-self.rows * widest * x.element_size() // (BLOCK * threads))
        self.threads = min(threads, self.rows)
        self.blocks = min(self.rows, self.threads * max(each, 1))
        self.space = widest * -(-self.rows // self.blocks)
        self.results, self.columns = components, columns

    @property
    def arguments(self) -> tuple[int, ...]:
        """What both passes take last."""
        return self.space, self.rows, self.blocks, self.threads, self.driver.product


def _address(link: Composition, name: str, dtype: torch.dtype) -> int:
    return int(link.kernels[name, dtype, "cpu"].function.address)


def driver(links: Sequence[Any], tensors: Sequence[Tensor], back: bool) -> Driver | None:
    """What runs a chain of these links, if all that it needs is there."""
    x = tensors[0]
    if current.kernels == "eager" or len(links) == 1 or not x.is_cpu or not x.numel() or x.ndim < 2:
        return None
    for link in links:
        for name in ("forward", "backward")[: 1 + back] if isinstance(link, Composition) else ():
            kernel = link.kernels.get((name, x.dtype, "cpu"))
            if kernel is None or kernel.function is None:
                return None
    if not compiled.fit(*tensors):
        return None
    found = _driver(x.dtype)
    if current.kernels == "compiled" and found.builder is not None:
        found.builder.join()
    return found if found.ready else None


def run(links: Sequence[Any], operands: int, tensors: Sequence[Tensor], driver: Driver, keep: bool) -> list[Tensor]:
    """The components of the result, and the inputs of all links but the first, block by block."""
    tensors = [x.contiguous() for x in tensors]
    x = tensors[0]
    layout = Layout(links, tensors, operands, driver, keep)
    kept = [memory.empty((layout.rows * n * s,), x) for n, s in zip(layout.sizes, _stored(links))] if keep else []
    result = memory.empty((layout.results, *x.shape[1:-1], layout.columns), x)
    scratch = memory.empty((2 * layout.threads * layout.space,), x)
    driver.forward(
        layout.table.buffer_info()[0], len(links), x.data_ptr(), tensors[operands - 1].data_ptr(),
        _pointers(kept), result.data_ptr(), scratch.data_ptr(), *layout.arguments,
    )  # fmt: skip
    return [result, *kept]


def pull_back(
    links: Sequence[Any], operands: int, parameters: Sequence[Sequence[int]], needed: Sequence[bool],
    tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor, driver: Driver,
) -> list[Tensor | None]:  # fmt: skip
    """The cotangents of those tensors that need one."""
    tensors = [x.contiguous() for x in tensors]
    x, cotangent = tensors[0], cotangent.contiguous()
    layout = Layout(links, tensors, operands, driver, True)
    x_bar = memory.empty(x.shape, x) if needed[0] else None
    summed = [k for k in range(1, len(tensors)) if needed[k] or k < operands]
    sizes = [tensors[k].numel() for k in summed]
    sums = x.new_zeros(layout.threads, sum(sizes))
    starts = itertools.accumulate(sizes, initial=0)
    places = {k: sums.data_ptr() + start * x.element_size() for k, start in zip(summed, starts)}
    weights = [places.get(p[0], 0) if p else 0 for p in parameters]
    biases = [places.get(p[1], 0) if len(p) == 2 else 0 for p in parameters]
    scratch = memory.empty((4 * layout.threads * layout.space,), x)
    driver.backward(
        layout.table.buffer_info()[0], len(links), x.data_ptr(), tensors[operands - 1].data_ptr(),
        _pointers(kept), cotangent.data_ptr(), _pointer(x_bar), places.get(1, 0) if operands == 2 else 0,
        _addresses(weights), _addresses(biases), sums.shape[1], scratch.data_ptr(), *layout.arguments,
    )  # fmt: skip
    found = dict(zip(summed, sums.sum(0).split(sizes)))
    return [x_bar, *(found[k].view(tensors[k].shape) if needed[k] else None for k in range(1, len(tensors)))]


def _stored(links: Sequence[Any]) -> list[bool]:
    """Which results are kept for reverse mode: what a composition hands to a layer is computed again."""
    return [not isinstance(a, Composition) or isinstance(b, Composition) for a, b in itertools.pairwise(links)]


def _pointer(x: Tensor | None) -> int:
    return x.data_ptr() if x is not None and x.numel() else 0


def _pointers(tensors: Sequence[Tensor]) -> Any:
    return _addresses([_pointer(x) for x in tensors])


def _addresses(numbers: Sequence[int]) -> Any:
    return (ctypes.c_void_p * len(numbers))(*numbers) if numbers else None
