"""Every cause that is known, as one table: what is seen, why it is so, the fix, and how PyTorch words the error."""

from __future__ import annotations

from dataclasses import dataclass

from apolar.text.languages import mark


@dataclass(frozen=True)
class Cause:
    """One way in which a gradient goes wrong.

    Attributes:
        seen: what was observed, with named placeholders.
        why: how that comes about.
        fix: code, with comments.
        messages: regular expressions for errors of PyTorch that have this cause, whatever else is known.
        varies: whether the reason and the fix depend on the function (REMEDIES).
    """

    seen: str
    why: str
    fix: str
    messages: tuple[str, ...] = ()
    varies: bool = False

    def about(self, function: str) -> Remedy:
        """The reason and the fix for one function, where this cause has its own for it."""
        own = REMEDIES.get(function.strip("_").removeprefix("linalg_")) if self.varies else None
        return own or Remedy(self.why, self.fix)


@dataclass(frozen=True)
class Remedy:
    """Why a function has no finite value or derivative somewhere, and what to write instead."""

    why: str
    fix: str


def _remedies() -> dict[str, Remedy]:
    logarithm = Remedy(
        mark("The logarithm and its derivative 1/x are finite for positive arguments only."),
        mark("torch.log(x.clamp(min=1e-12))  # keep the argument positive"),
    )
    power = Remedy(
        mark(
            "x^p is real for x >= 0 unless p is an integer, and its derivative of order n is infinite at x = 0 where p < n is "
            "no integer."
        ),
        mark("x.clamp(min=1e-12) ** 1.5  # keep the base positive; x**2 with an integer for a polynomial"),
    )
    root = Remedy(
        mark("The square root is real for x >= 0, and its derivative is infinite at x = 0."),
        mark("torch.sqrt(x + 1e-12)  # or torch.sqrt(x.clamp(min=1e-12))"),
    )
    norm = Remedy(
        mark("A norm has a kink where its argument is 0: its derivative is 0/0 there, and the second one infinite."),
        mark("torch.sqrt((x**2).sum(-1) + 1e-12)  # a smooth norm; keep away from the singular point"),
    )
    quotient = Remedy(
        mark("A quotient and its derivatives are not finite where the denominator is 0."),
        mark("a / torch.where(b == 0, 1.0, b)  # keep the denominator away from 0; or b + 1e-12 where b >= 0"),
    )
    arc = Remedy(
        mark("It is defined between -1 and 1 (acosh: from 1 on), and its derivative is infinite at the ends."),
        mark("x.clamp(-1 + 1e-6, 1 - 1e-6)  # keep the argument inside; angles are better computed with torch.atan2"),
    )
    eigen = Remedy(
        mark(
            "The derivative of eigenvectors and singular vectors contains 1/(λᵢ - λⱼ): it does not exist where two of the "
            "values are equal."
        ),
        mark(
            "torch.linalg.eigvalsh(A)  # where the eigenvalues are enough; torch.linalg.svdvals(A) for singular values\n"
            "A + torch.diag(1e-6 * torch.arange(n))  # or make equal eigenvalues differ"
        ),
    )
    growth = Remedy(
        mark("The value is too large for the dtype."),
        mark("torch.logsumexp(x, -1)  # instead of log(sum(exp(x))); or x.clamp(max=80), or float64"),
    )
    matrix = Remedy(
        mark("A matrix that is singular, or not positive definite, has no inverse and no Cholesky factor."),
        mark("A + 1e-6 * torch.eye(n)  # keep it regular; torch.linalg.lstsq for a rank-deficient system"),
    )
    spread = Remedy(
        mark("The spread of one number alone is 0/0, and at equal numbers the standard deviation has a kink."),
        mark("torch.sqrt(x.var(-1, correction=0) + 1e-12)  # smooth, and defined for one number"),
    )
    softmax = Remedy(
        mark("Where all scores of a row are -infinity, softmax is 0/0."),
        mark("scores.masked_fill(mask, -1e9)  # a large finite number in the place of -inf"),
    )
    groups = {
        ("log", "log2", "log10", "log1p", "xlogy", "logit", "log_"): logarithm,
        ("pow", "rpow", "ipow", "float_power"): power,
        ("sqrt", "rsqrt"): root,
        ("norm", "vector_norm", "matrix_norm", "cdist", "pairwise_distance", "pdist", "hypot", "cosine_similarity"): norm,
        ("div", "true_divide", "divide", "rdiv", "truediv", "rtruediv", "idiv", "itruediv", "reciprocal", "remainder", "fmod"):
            quotient,
        ("acos", "asin", "arccos", "arcsin", "acosh", "atanh", "arccosh", "arctanh"): arc,
        ("eigh", "eig", "svd", "symeig"): eigen,
        ("exp", "exp2", "expm1", "sinh", "cosh", "square"): growth,
        ("inv", "inverse", "solve", "cholesky", "det", "slogdet", "logdet", "pinv", "lstsq", "qr"): matrix,
        ("std", "var", "std_mean", "var_mean"): spread,
        ("softmax", "log_softmax"): softmax,
    }  # fmt: skip
    return {name: remedy for names, remedy in groups.items() for name in names}


REMEDIES = _remedies()
"""By the name of the function, without underscores around it and without ``linalg_``."""

CAUSES: dict[str, Cause] = {
    # ---------------------------------------------------------------------------------------------- how a gradient is asked
    "graph-freed": Cause(
        mark("The graph is walked a second time, but its saved values were freed by the first walk."),
        mark(
            "backward() and grad() free what the forward pass saved. Two losses that share a part of the graph, a tensor "
            "computed once before a loop, or a state carried over from the step before all lead to a second walk."
        ),
        mark(
            "(loss1 + loss2).backward()  # one walk for both\n"
            "y = f(x)  # or compute it again in every step\n"
            "state = state.detach()  # or cut the state of the step before\n"
            "loss1.backward(retain_graph=True)  # or keep the graph for the next walk"
        ),
        (r"backward through the graph a second time", r"saved (tensors|intermediate values).*freed"),
    ),
    "nothing-requires-grad": Cause(
        mark("A gradient is asked for where none was recorded: {what} has requires_grad=False."),
        mark(
            "PyTorch records operations only on tensors that require a gradient, and on what is made of them: an output y has "
            "a graph only if an input x requires a gradient when y is computed."
        ),
        mark("x.requires_grad_()  # before y is computed from x"),
        (r"does not require grad and does not have a grad_fn", r"differentiated Tensors? does not require grad"),
    ),
    "non-scalar-output": Cause(
        mark("A gradient is asked of an output of shape {shape}, and no grad_outputs say how its entries are weighted."),
        mark("Reverse mode computes vᵀJ for a vector v. Only for a single number is v = 1 taken for granted."),
        mark(
            "y.sum().backward()  # where each row depends on its own point only\n"
            "torch.autograd.grad(y, x, grad_outputs=torch.ones_like(y))  # the same\n"
            "ap.jacobian(f)(x)  # or all derivatives of all entries"
        ),
        (r"implicitly created only for scalar outputs",),
    ),
    "fresh-slice": Cause(
        mark(
            "The input of shape {shape} is a new tensor, made by {name}: the output was computed from what it was made of. "
            "Line {asked} asks for the gradient with respect to it."
        ),
        mark("Each slice, reshape or copy is a tensor of its own. A gradient leads only to the tensors that were used."),
        mark(
            "x = X[:, 0:1]; y = f(x); torch.autograd.grad(y.sum(), x)  # slice first, then compute\n"
            "torch.autograd.grad(y.sum(), X)[0][:, 0:1]  # or slice the gradient"
        ),
    ),
    "input-unused": Cause(
        mark("The output was not computed from the input of shape {shape}."),
        mark("No path of the graph leads from the output to this tensor: another tensor was used, or none."),
        mark("y = f(x)  # compute y from the very x with respect to which it is differentiated"),
        (r"appears? to not have been used in the graph",),
    ),
    "constant-derivative": Cause(
        mark("The derivative of order {order} does not depend on the input any more: the next derivative is 0."),
        mark(
            "The function is linear in this input, or a polynomial of low degree. The derivative is then a constant, which has "
            "no graph to the input, and PyTorch reports an error or None in the place of the zero."
        ),
        mark(
            "torch.autograd.grad(du, x, allow_unused=True, materialize_grads=True)  # where du has a graph\n"
            "d2u = torch.zeros_like(x) if not du.requires_grad else …  # where it has none\n"
            "ap.derivative(f, order=2)(x)  # or let apolar say 0"
        ),
    ),
    "create-graph-missing": Cause(
        mark("A gradient was computed without create_graph=True, and is then differentiated."),
        mark("Without create_graph=True a gradient is a constant: what is made of it has no path back to the input."),
        mark("du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]"),
    ),
    "non-leaf-grad": Cause(
        mark("The gradient of a tensor that was made by {name} is asked for; it is no leaf, and its .grad stays None."),
        mark("backward() fills .grad of leaves only, and what came out of an operation, .to() and reshape included, is none."),
        mark(
            "x = x.detach().to(device).requires_grad_()  # move first, then ask for the gradient\n"
            "h.retain_grad()  # or, for an intermediate result, before backward()"
        ),
        (r"can't optimize a non-leaf",),
    ),
    "gradient-accumulated": Cause(
        mark("A gradient was added to one that had been used before: .grad was not cleared in between."),
        mark("backward() adds to .grad. After a step the old gradient is still there, until someone clears it."),
        mark("optimizer.zero_grad()  # before backward(); or x.grad = None"),
    ),
    "hessian-rows-summed": Cause(
        mark("The gradient of shape {shape} is summed and differentiated: each entry is the sum of a row of the Hessian."),
        mark(
            "Σⱼ ∂²u/∂xᵢ∂xⱼ mixes the second derivatives with the mixed ones. For one second derivative, one column of the "
            "gradient must be differentiated."
        ),
        mark(
            "u_xx = torch.autograd.grad(g[:, 0].sum(), X, create_graph=True)[0][:, 0]\n"
            "ap.evaluate(f, X, dx**2)  # or all at once"
        ),
    ),
    "batch-coupled": Cause(
        mark("Rows are coupled by batch normalisation in training mode, and the derivative of their sum is taken."),
        mark("Each output depends on all points of the batch, so that the gradient of the sum is not the derivative by rows."),
        mark("net.eval()  # or nn.LayerNorm, or no normalisation, where derivatives by the inputs are needed"),
    ),
    # --------------------------------------------------------------------------------------------------- cuts in the graph
    "detach": Cause(
        mark("{name} cuts the graph, and no gradient passes."),
        mark("The result has the same values and no history: for autograd it is a constant."),
        mark("y = f(h)  # use h itself; detach only what is logged or plotted, or meant as a constant"),
    ),
    "item": Cause(
        mark("{name} makes a Python number of a tensor, and the number goes on into what is differentiated."),
        mark("A Python number has no graph: for autograd it is a constant. math.sin(x) and float(x) convert without an error."),
        mark("torch.sin(x)  # in the place of math.sin(x); leave out .item(), float() and .tolist()"),
    ),
    "numpy": Cause(
        mark("{name} hands a tensor to NumPy, which keeps no graph."),
        mark("What NumPy computes is a constant for autograd, also after torch.from_numpy()."),
        mark("torch.sin(x)  # the torch function in the place of the NumPy one"),
        (r"Can't call numpy\(\) on Tensor that requires grad",),
    ),
    "tensor-copy": Cause(
        mark("{name} makes a new tensor of the values of others, without their graph."),
        mark("torch.tensor(...) copies numbers. The copy is a leaf and does not know where they come from."),
        mark("torch.stack([a, b])  # for a list of tensors; for a single one, use it as it is, or x.clone()"),
    ),
    "integer-dtype": Cause(
        mark("{name} makes integers or truth values, which have no gradient."),
        mark("Only floating-point and complex tensors can be differentiated."),
        mark("x = torch.tensor([1.0, 2.0], requires_grad=True)  # 1.0, not 1; x.float(), not x.long()"),
        (r"[Oo]nly Tensors of floating point", r"the points must be floating point"),
    ),
    "piecewise-constant": Cause(
        mark("{name} is piecewise constant: its derivative is 0 or does not exist, and no gradient passes."),
        mark("Rounding, sign, argmax and comparisons jump between constants."),
        mark(
            "torch.sigmoid(k * x)  # a smooth replacement of x > 0; softmax of argmax\n"
            "x + (x.round() - x).detach()  # or a straight-through estimate"
        ),
    ),
    "no-grad": Cause(
        mark("Operations are not recorded here, and their result is then differentiated."),
        mark("Under torch.no_grad(), inference_mode() or set_grad_enabled(False) results have no graph."),
        mark("y = f(x)  # outside of the block; with torch.enable_grad(): where that is not possible"),
        (r"[Ii]nference tensors? (cannot|can't|can not)",),
    ),
    "requires-grad-patch": Cause(
        mark("requires_grad is switched on for a result after it was computed, and then backward() is called."),
        mark("That silences the error and no more: the tensor becomes a leaf, and its missing history stays missing."),
        mark("x.requires_grad_()  # on the input, before the computation; and repair what cuts the graph"),
    ),
    "checkpoint-reentrant": Cause(
        mark("Gradients are asked for through checkpoint(use_reentrant=True), which does not record what it runs."),
        mark(
            "It runs the function without a graph, and again in backward(). So torch.autograd.grad(), backward(inputs=…), "
            "derivatives of higher order and derivatives inside of the function fail, and so do inputs without requires_grad."
        ),
        mark("torch.utils.checkpoint.checkpoint(f, x, use_reentrant=False)"),
        (r"use_reentrant=True.*incompatible with \.grad\(\)", r"Checkpointing is not compatible with \.grad\(\)"),
    ),
    # --------------------------------------------------------------------------------------------------- writing in place
    "leaf-in-place": Cause(
        mark("{name} writes into a leaf that requires a gradient."),
        mark("The value that the gradient refers to would be lost."),
        mark(
            "y = x + 1  # a new tensor\n"
            "with torch.no_grad():  # or, for an update of parameters\n"
            "    x += 1"
        ),
        (r"a (view of a )?leaf Variable that requires grad (is being|has been) used in an in-place",),
    ),
    "saved-in-place": Cause(
        mark("{name} writes into a tensor of shape {shape} that the backward pass still needs."),
        mark("The forward pass saved this tensor itself, not a copy; its version has changed since."),
        mark("y = y + 1  # in the place of y += 1; optimizer.step() only after the last backward()"),
        (r"modified by an inplace operation",),
    ),
    # ---------------------------------------------------------------------------------------------------- wrong derivatives
    "piecewise-linear": Cause(
        mark("The second derivative is 0 everywhere: {name} is piecewise linear, and so is what it is made of."),
        mark("ReLU and its kin consist of straight pieces. An equation with second derivatives cannot be learnt with them."),
        mark("nn.Tanh()  # or nn.SiLU(), nn.GELU(), torch.sin: a smooth function in the place of nn.ReLU()"),
    ),
    "wrong-derivative": Cause(
        mark("PyTorch differentiates {name} wrongly from order {order} in this mode, without an error."),
        mark("A formula in PyTorch leaves out terms of higher order; docs/pytorch-defects.md has the numbers."),
        mark("ap.evaluate(f, X, dx**3)  # or ap.derivative, ap.hessian: apolar's rules are right at every order"),
    ),
    "custom-backward": Cause(
        mark("The backward of {name}, an autograd.Function, leaves no graph: the next derivative lacks its part."),
        mark(
            "What backward() computes from attributes of ctx, NumPy arrays or tensors that were made in forward() has no "
            "history, so that its own derivative counts as 0. Inputs and outputs that are kept with save_for_backward have one."
        ),
        mark(
            "ctx.save_for_backward(x)  # in forward: the input itself\n"
            "(x,) = ctx.saved_tensors; return g * 2 * x  # in backward: torch functions of it\n"
            "y = f(x)  # or leave the Function out, where torch functions can say it"
        ),
    ),
    "gradient-zero": Cause(
        mark("The gradients of all {count} parameters are exactly 0: {name} passes nothing on."),
        mark(
            "Where relu, clamp, max or where is flat, where a sigmoid has saturated or a factor is 0, the derivative is 0, and "
            "so is everything before it. Nothing is learnt from here on."
        ),
        mark("nn.SiLU()  # or nn.LeakyReLU(): never flat; smaller weights at the start; look at the factors of the loss"),
    ),
    "derivative-missing": Cause(
        mark("PyTorch has no derivative of {name} at this order."),
        mark("Fused and special functions often come with one derivative or none."),
        mark(
            "with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # attention from its parts\n"
            "with torch.backends.cudnn.flags(enabled=False):  # recurrent networks from their parts\n"
            "ap.derivative(f, order=2)(x)  # or apolar's own rules"
        ),
        (
            r"derivative for '?[\w:]+'? is not implemented",
            r"double backward.*not (supported|implemented)",
            r"@once_differentiable",
        ),
    ),
    "gradient-differs": Cause(
        mark("Along a line the derivative of order {order} is {found} by autograd and {expected} by finite differences."),
        mark("Autograd differentiates the operations that it saw. A part of the computation was hidden from it."),
        mark("ap.check(f, x, dx)  # compares every operator; look for values that leave the graph"),
    ),
    # --------------------------------------------------------------------------------------------------------------- numbers
    "broadcast": Cause(
        mark("{name} of shapes {left} and {right} gives {result}: every entry with every other one."),
        mark("(N, 1) and (N,) broadcast to (N, N). The mean over it is a number, and a wrong one."),
        mark("residual = u.squeeze(-1) - target  # the same shape on both sides; or target.unsqueeze(-1)"),
    ),
    "empty-slice": Cause(
        mark("{name} takes a slice without entries, of shape {result} out of {shape}, and its sum is differentiated."),
        mark("A slice behind the end is empty and no error. The sum over it is 0, the mean NaN, and its gradient is 0 or NaN."),
        mark("u_t = du[:, 1:2]  # from the tensor that has this column; check the shape of what was sliced before"),
    ),
    "graph-grows": Cause(
        mark("The graph grows from step to step: what {name} is given here reaches back over {steps} steps."),
        mark("A tensor with its graph is carried over from the step before, so that every step keeps all earlier ones."),
        mark("total += loss.item()  # for a sum that is only shown\nstate = state.detach()  # for a state between steps"),
    ),
    "nonfinite-value": Cause(
        mark("NaN or infinity is born in the forward pass, at {name}, and makes the gradient NaN."),
        mark("The function is not defined or not finite at this argument."),
        mark("x = torch.where(valid, x, 1.0)  # before the function, so that it never sees an argument without a value"),
        varies=True,
    ),
    "nonfinite-input": Cause(
        mark("NaN or infinity is already in the {name}, before anything is computed with it."),
        mark("Data may hold NaN for what is missing; parameters get it from a step that was too large, or have no values yet."),
        mark("assert torch.isfinite(x).all()  # where it is loaded, or after each optimizer.step(); a smaller learning rate"),
    ),
    "nonfinite-gradient": Cause(
        mark("The derivative becomes NaN or infinite at {name}; the values are finite."),
        mark("The function is finite here and its derivative is not; 0·∞ is NaN."),
        mark("x = torch.where(singular, x + 1e-6, x)  # keep the argument away from the singular point"),
        varies=True,
    ),
    "nonfinite-second-derivative": Cause(
        mark("The derivative of order {order} becomes NaN or infinite at {name}; the ones before are finite."),
        mark("The function has a derivative here and no finite one of the next order."),
        mark("x = torch.where(singular, x + 1e-6, x)  # keep the argument away from the singular point"),
        varies=True,
    ),
    "where-branch": Cause(
        mark("The branch that torch.where() does not take has no finite derivative, at {name}: 0·∞ gives NaN."),
        mark("Both branches are computed and differentiated. The one not taken gets the gradient 0, and 0·∞ is NaN."),
        mark(
            "safe = torch.where(x > 0, x, 1.0)  # first a harmless argument, then the function\n"
            "y = torch.where(x > 0, f(safe), 0.0)"
        ),
    ),
    "cancellation": Cause(
        mark("{name} subtracts nearly equal numbers in {dtype}: of {digits} digits hardly any is left."),
        mark("The leading digits cancel, and rounding errors remain; what follows makes them large."),
        mark("x = x.double()  # twice as many digits; or say it otherwise: torch.expm1, torch.log1p, 2*sin(x/2)**2"),
    ),
}  # fmt: skip
"""The causes by their code, which is stable."""

CUTS = frozenset(
    {
        "detach",
        "item",
        "numpy",
        "tensor-copy",
        "integer-dtype",
        "piecewise-constant",
        "no-grad",
        "create-graph-missing",
        "derivative-missing",
    }
)
"""Causes that take a value out of the graph."""
