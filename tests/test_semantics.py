"""What users of PyTorch rely on inside of a function: memory, random numbers, complex numbers, subclasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ApolarError, DetachedError, UnsupportedOperator
from apolar.evaluate import lift
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import Function
from tests.rules.agreement import agree
from tests.rules.case import case
from tests.rules.points import away, normal, positive

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.7, 1.2], [1.4, 0.65], [0.9, 1.1]])

# ------------------------------------------------------------------------------------------------------- shapes and memory


def no_axes(x: Tensor) -> Tensor:
    total = x.sum()
    total += x.prod()
    total.mul_(2).squeeze_()
    return total**2 * x[0, 0].exp()


def no_entries(x: Tensor) -> Tensor:
    nothing = x[:, :0]
    nothing += 1
    return torch.cat(
        [x[:0].sum().reshape(1), nothing.sum(1), nothing.prod(1), (nothing @ nothing.T).flatten(), x.flatten()]
    )


def strided(x: Tensor) -> Tensor:
    return x.T[::2].reshape(-1) * x.mT.contiguous()[::2].flatten() + x[:, 1::2].T.flatten().cumsum(0)


def expanded(x: Tensor) -> Tensor:
    row = x[:1].expand(3, 4)
    copy = row.clone()
    copy += x
    return row * copy * x[..., None].expand(3, 4, 2).sum(-1)


def columns(x: Tensor) -> Tensor:
    y = x * x
    y[..., 0] += x[..., 1]
    y[:, 1:3] *= y[:, :1].clone()
    return y * x


def slices(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:3].copy_(x[:, :2] ** 2)
    y[0].copy_(torch.ones(4))
    y[1] = x[0, 0]
    return y * x


def augmented_views(x: Tensor) -> Tensor:
    y = x * x
    below = y[1:]
    below += x[:2] ** 3
    below *= 2
    below -= y[:2].clone()
    return y


def views_of_views(x: Tensor) -> Tensor:
    y = x * x
    y.view(2, 6)[1].reshape(3, 2)[1:].T[0].mul_(3)
    y.flatten()[2:9].add_(1)
    y.T[0].unsqueeze(0)[:, 1:] += x[0].sum()
    return y


def both_directions(x: Tensor) -> Tensor:
    """A view made before and one made after, both written to."""
    y = x**2
    before = y.flatten()
    y.mul_(x)
    after = y.T
    after[0] += before[-1].clone()
    before[2:9].sin_()
    return before * y.flatten() + after.reshape(-1)


def shapes_in_place(x: Tensor) -> Tensor:
    y = (x * x).unsqueeze(1)
    flat = y.view(-1)
    y.squeeze_(1).unsqueeze_(-1).transpose_(0, 1).squeeze_()
    flat.mul_(2)
    y.t_()
    y[0] += 1
    return y * x + flat.reshape(3, 4)


def transposed_in_place(x: Tensor) -> Tensor:
    y = x**2
    flat = y.view(-1)
    y.t_()
    flat.mul_(2)
    y.swapaxes_(0, 1)[1:].exp_()
    return y


def pieces(x: Tensor) -> Tensor:
    y = x**2
    for k, column in enumerate(y.unbind(1)):
        column.mul_(k + 1)
    y.narrow(1, 1, 2).exp_()
    y.diagonal().mul_(x.diagonal())
    y.movedim(0, 1)[0].mul_(3)
    y.unfold(1, 2, 2)[..., 0].add_(1)
    return y


def masks(x: Tensor) -> Tensor:
    y = x**2
    y[x > 0] *= 2
    y[:, [0, 2]] = y[:, [2, 0]]
    y[torch.tensor([True, False, True])] += x[:2]
    y.masked_fill_(x < -1, 0.0).index_fill_(1, torch.tensor([3]), 2.0)
    return y.scatter_(1, torch.zeros(3, 1, dtype=torch.long), x[:, :1] ** 3)


def after_an_activation(x: Tensor) -> Tensor:
    """torch keeps the argument of sin and exp's result: written to is what it does not need."""
    y = torch.sin(x)
    y += x
    z = torch.cos(y * 2)
    z[0].mul_(y[1])
    return z.clamp_(min=-2).tanh()


def parts_of_complex_numbers(x: Tensor) -> Tensor:
    z = torch.complex(x, x**2)
    z.real.mul_(2)
    z.imag.add_(x)
    torch.view_as_real(z)[..., 0] += 1
    z.real = z.real.clone() * x
    return torch.view_as_real(z * z)


MEMORY = [
    no_axes, no_entries, strided, expanded, columns, slices, augmented_views, views_of_views, both_directions, shapes_in_place,
    transposed_in_place, pieces, masks, after_an_activation, parts_of_complex_numbers,
]  # fmt: skip


@pytest.mark.parametrize("f", MEMORY, ids=lambda f: f.__name__)
def test_views_and_changes_in_place(f: Function) -> None:
    agree(f, case(f"memory: {f.__name__}", f, away(3, 4)))


NOT_IN_PLACE: dict[str, tuple[Callable[[Tensor], Any], type[ApolarError], str]] = {
    "out": (lambda p: torch.exp(p, out=torch.empty_like(p)), UnsupportedOperator, r"exp at order 1.*argument `out`"),
    "out of several": (lambda p: torch.sort(p, out=(p, p)), UnsupportedOperator, r"sort at order 1.*argument `out`"),
    "another shape": (lambda p: p[0].__iadd__(p), UnsupportedOperator, r"change the shape \(2,\) in place"),
    "another size": (lambda p: p.resize_(2, 3), UnsupportedOperator, "resize_"),
    "other data": (lambda p: setattr(p, "data", X), UnsupportedOperator, "data"),
    "other memory": (lambda p: p.set_(X), UnsupportedOperator, "set_"),
    "the bits": (lambda p: p.view(torch.int32), UnsupportedOperator, "reinterprets memory"),
    "into a constant": (lambda p: torch.zeros(3, 2).add_(p), UnsupportedOperator, r"torch\.stack, torch\.cat or"),
    "into an item of a constant": (lambda p: torch.zeros(3, 2).__setitem__(0, p[0]), UnsupportedOperator, "zeros_like"),
    "at an index that moves": (lambda p: X[p], UnsupportedOperator, "cannot be an index"),
    "without gradients": (lambda p: p.detach() * p, DetachedError, "detach takes a value"),
}


@pytest.mark.parametrize("name", NOT_IN_PLACE)
def test_memory_that_a_jet_does_not_have(name: str) -> None:
    f, error, message = NOT_IN_PLACE[name]
    with pytest.raises(error, match=message):
        ap.evaluate(f, X, dx)


# ----------------------------------------------------------------------------------------------------------- random numbers

NETWORKS = {
    "lstm": nn.LSTM(4, 3, 2, dropout=0.5),
    "attention": nn.MultiheadAttention(4, 2, dropout=0.5),
    "transformer": nn.TransformerEncoderLayer(4, 2, 6, dropout=0.3, activation="gelu"),
}
for network in NETWORKS.values():
    network.double().requires_grad_(False)


def features(x: Tensor) -> Tensor:
    return x.reshape(2, 2, 2, 3)


DRAWN: dict[str, Function] = {
    "F.dropout": lambda x: F.dropout(x, 0.4),
    "F.dropout in place": lambda x: F.dropout(x * 1, 0.4, inplace=True),
    "F.dropout in evaluation": lambda x: F.dropout(x, 0.4, training=False),
    "nn.Dropout": nn.Dropout(0.3),
    "nn.Dropout in evaluation": nn.Dropout(0.3).eval(),
    "native_dropout": lambda x: torch.native_dropout(x, 0.3, True)[0],
    "dropout1d": lambda x: F.dropout1d(x.reshape(2, 3, 4), 0.4),
    "dropout2d": lambda x: F.dropout2d(features(x), 0.4),
    "dropout3d": lambda x: F.dropout3d(features(x).unsqueeze(-1), 0.4),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.4, True),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(features(x), 0.4, True),
    "bernoulli of a number": lambda x: x.bernoulli(0.3) * x**2,
    "bernoulli_": lambda x: (x * 1).bernoulli_(0.3) + x**2,
    "rand_like": lambda x: torch.rand_like(x) * x**2,
    "rand_like, float32": lambda x: torch.rand_like(x, dtype=torch.float32) * x**2,
    "randn_like": lambda x: torch.randn_like(x) * x**2,
    "randint_like": lambda x: torch.randint_like(x, 0, 5) * x**2,
    "rand": lambda x: torch.rand(x.shape).double() * x**2,
    "randperm": lambda x: x[torch.randperm(len(x))] * x,
    "normal_": lambda x: torch.empty_like(x).normal_() * x**2,
    "uniform_": lambda x: x.new_empty(x.shape).uniform_() * x**2,
    "exponential_": lambda x: torch.empty_like(x).exponential_() * x**2,
    "random_": lambda x: torch.empty_like(x).random_(0, 5) * x**2,
    "a generator": lambda x: torch.rand(x.shape, generator=torch.Generator().manual_seed(3)) * x**2,
    "multinomial": lambda x: torch.multinomial(torch.softmax(torch.arange(6.0), 0), 3) + x.sum().reshape(1) ** 2,
    "normal of a mean": lambda x: torch.normal(x**2, 0.1),
    "normal of both": lambda x: torch.normal(x**2, x.exp()),
    "rrelu": lambda x: F.rrelu(x, training=True) ** 2,
    "rrelu in place": lambda x: F.rrelu(x * 1, training=True, inplace=True) ** 2,
    "nn.RReLU in evaluation": nn.RReLU().eval(),
    "gumbel_softmax": lambda x: F.gumbel_softmax(x, tau=0.7),
    "stochastic depth": lambda x: x * (torch.rand(len(x), 1) > 0.5) + x**2,
    "a normal distribution": lambda x: torch.distributions.Normal(x, x.exp(), validate_args=False).rsample(),
    "a Laplace distribution": lambda x: torch.distributions.Laplace(x, 1.0, validate_args=False).rsample(),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=0.5),
    "fractional_max_pool2d": lambda x: F.fractional_max_pool2d(x.reshape(1, 1, 4, 6), 2, 2) ** 2,
    "nn.LSTM": lambda x: NETWORKS["lstm"](x.reshape(3, 2, 4))[0],
    "nn.MultiheadAttention": lambda x: NETWORKS["attention"](*[x.reshape(3, 2, 4)] * 3)[0],
    "nn.TransformerEncoderLayer": lambda x: NETWORKS["transformer"](x.reshape(3, 2, 4)),
}


def seeded(f: Function) -> Function:
    """The same draw at every call."""
    return lambda *x: (torch.manual_seed(11), f(*x))[1]


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_random_is_drawn_once_and_as_by_torch(name: str) -> None:
    """The value is that of plain torch at the same seed, and so is what is drawn next; all components share one draw."""
    f = seeded(DRAWN[name])
    meaning = case(f"random: {name}", f, away(4, 6))
    (x,) = meaning.point()
    expected, after = f(x), torch.get_rng_state()
    found = jet_derivatives(f, [x], [x], [None], [(0, 0)])[0, 0]
    assert torch.allclose(found, expected.double().flatten())
    assert torch.equal(torch.get_rng_state(), after)
    agree(f, meaning)


def test_random_signs_of_a_probability_that_moves_are_constants() -> None:
    for sample in (torch.bernoulli, lambda p: torch.multinomial(p, 2).double()):
        f = seeded(lambda x, sample=sample: sample(torch.sigmoid(x)))
        x = torch.linspace(-1, 1, 12).double().reshape(3, 4)
        assert torch.equal(f(lift(ap.algebra(dx), x, [x, None])), f(x))


NOT_DRAWN: dict[str, tuple[Function, type[ApolarError], str]] = {
    "a straight-through sample": (lambda x: F.gumbel_softmax(x, hard=True), DetachedError, "detach"),
    "a gamma distribution": (lambda x: torch.distributions.Gamma(x.exp(), 1.0).rsample(), UnsupportedOperator, "_gamma"),
    "a Dirichlet distribution": (lambda x: torch._sample_dirichlet(x.exp()), UnsupportedOperator, "_dirichlet"),
    "a Poisson number": (lambda x: torch.poisson(x.exp()), UnsupportedOperator, "poisson"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_DRAWN)
def test_samples_without_derivatives_are_refused(name: str) -> None:
    f, error, message = NOT_DRAWN[name]
    with pytest.raises(error, match=message):
        ap.evaluate(f, X, dx)


# --------------------------------------------------------------------------------------------------------- other tensors


class Plain(Tensor):
    """A subclass that says nothing."""


class Asking(Tensor):
    """One that looks at every call and passes it on."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_function__(func, types, args, kwargs or {})


class Greedy(Tensor):
    """One that runs every call itself."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


class Silent(Tensor):
    """One without overrides."""

    __torch_function__ = torch._C._disabled_torch_function_impl


class Wrapper(Tensor):
    """One that holds another tensor."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> Wrapper:
        wrapper = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype)
        wrapper.held = held
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def opened(x: Any) -> Any:
            return x.held if isinstance(x, Wrapper) else x

        return func(*torch.utils._pytree.tree_map(opened, args), **torch.utils._pytree.tree_map(opened, kwargs or {}))


W = torch.tensor([[0.4, -1.1, 0.3], [0.8, 0.2, -0.5]]).double()
MAKERS: dict[str, Callable[[Tensor], Any]] = {
    "a subclass": lambda w: w.as_subclass(Plain),
    "one that asks": lambda w: w.as_subclass(Asking),
    "one that runs the call": lambda w: w.as_subclass(Greedy),
    "one without overrides": lambda w: w.as_subclass(Silent),
    "one that holds a tensor": Wrapper,
    "a parameter": lambda w: nn.Parameter(w, requires_grad=False),
    "a buffer": lambda w: nn.Buffer(w),
}
USES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "x @ w": lambda x, w: torch.sin(x @ w),
    "w on the left": lambda x, w: torch.sin(torch.matmul(w.mT, x.mT)),
    "w * x": lambda x, w: torch.exp(w[:, 0] * x) - w[:, 1],
    "w + x": lambda x, w: (w[:, 0] + x) ** 2 / w[:, 2],
    "F.linear": lambda x, w: F.linear(torch.tanh(x), w.mT),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", MAKERS)
def test_constants_of_other_classes(kind: str, use: str) -> None:
    f = USES[use]
    agree(lambda x: f(x, MAKERS[kind](W)), case(f"constant: {use}", lambda x: f(x, W), normal(3, 2)))


class Quantity:
    """Not a tensor, but something that torch functions take."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*(a.tensor if isinstance(a, Quantity) else a for a in args), **(kwargs or {}))


def test_other_classes_with_overrides() -> None:
    q = Quantity(W[:, 0])
    agree(
        lambda x: torch.mul(x, q) * torch.exp(torch.add(q, x)),
        case("a quantity", lambda x: x * W[:, 0] * torch.exp(W[:, 0] + x), normal(3, 2)),
    )


# ------------------------------------------------------------------------------------------------------------ complex parts


def spectral(x: Tensor) -> Tensor:
    """A layer in Fourier space: rfft, a complex weight for each frequency, irfft."""
    weight = torch.linspace(-1, 1, 9).double().reshape(3, 3) + 0.5j
    return torch.tanh(torch.fft.irfft(torch.fft.rfft(x) @ weight, 4))


def short_time(x: Tensor) -> Tensor:
    window = torch.hann_window(4, dtype=torch.float64)
    spectrum = torch.stft(x.flatten(), 4, 2, window=window, return_complex=True)
    return torch.istft(spectrum * torch.exp(1j * spectrum.abs()), 4, 2, window=window, length=12)


def polar(x: Tensor) -> Tensor:
    z = torch.polar(x.abs(), x**2)
    return torch.cat([(z * z.conj()).real, torch.angle(z * (2 + 1j)), (z.sqrt() / (1 + z.abs())).imag, z.log().real])


def analytic(x: Tensor) -> Tensor:
    z = torch.complex(x, 1 + x**2)
    return torch.view_as_real(torch.exp(1j * z) * torch.tanh(z) / (z + 2)).flatten() + z.T.H.real.sum()


def adjoint(x: Tensor) -> Tensor:
    a = torch.view_as_complex(torch.stack([x, x.flip(0) ** 2], -1))
    return torch.view_as_real(torch.linalg.solve(a @ a.mH + torch.eye(3), a)).flatten(1)


COMPLEX = [spectral, short_time, polar, analytic, adjoint]


@pytest.mark.parametrize("f", COMPLEX, ids=lambda f: f.__name__)
def test_complex_numbers_between_real_ones(f: Function) -> None:
    agree(f, case(f"complex: {f.__name__}", f, positive(3, 4)))
