# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Reductions that are not linear: products, variances, norms, soft maxima, cumulative products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..case import Case, analytic, case, listed
from ..points import away, normal, positive, separated, values

A, X, P, C = normal(3, 4), away(3, 4), positive(3, 4), normal(2, 3, 4)

PRODUCTS = [
    analytic("prod", torch.prod, A),
    analytic("prod axis", lambda x: x.prod(1), A),
    analytic("prod axis keepdim", lambda x: torch.prod(x, dim=0, keepdim=True), A),
    analytic("prod of size 0", lambda x: x.prod(0), normal(0, 3)),
    analytic("prod of size 1", lambda x: x.prod(1), normal(3, 1)),
    analytic("prod of a 0-d tensor", lambda x: x.prod(), normal()),
    case("prod with one zero", lambda x: x.prod(), values(1.5, 0.0, -0.7, 2.0)),
    case("prod with two zeros", lambda x: x.prod(), values(1.5, 0.0, -0.7, 0.0)),
    analytic("cumprod", lambda x: torch.cumprod(x, 1), A),
    analytic("Tensor.cumprod", lambda x: x.cumprod(0), A),
    case("cumprod with zeros", lambda x: torch.cumprod(x, 0), values(1.5, 0.0, -0.7, 0.0, 2.0)),
]

MOMENTS = [
    analytic("var", torch.var, A, oracle="chebyshev"),
    case("var axis", lambda x: x.var(1), A),
    case("var biased", lambda x: torch.var(x, dim=(0, 2), unbiased=False, keepdim=True), C),
    case("var correction", lambda x: torch.var(x, dim=1, correction=0), A),
    case("std", torch.std, A),
    case("std axis", lambda x: x.std(0, unbiased=False), A),
    case("std correction", lambda x: torch.std(x, dim=-1, correction=2, keepdim=True), A),
    case("var_mean", lambda x: torch.var_mean(x, dim=1), A),
    case("std_mean", lambda x: torch.std_mean(x, dim=1, correction=0), A),
    case("cov", torch.cov, A),
    case("corrcoef", torch.corrcoef, A),
]

NORMS = [
    case("norm", torch.norm, A),
    case("Tensor.norm", lambda x: x.norm(), A),
    case("norm axis", lambda x: x.norm(dim=1), A),
    case("norm axis keepdim", lambda x: torch.norm(x, dim=-1, keepdim=True), A),
    case("norm axes", lambda x: torch.norm(x, dim=(0, 2)), C),
    *(case(f"norm p = {p}", lambda x, p=p: torch.norm(x, p=p, dim=1), X) for p in (1, 2, 3, 4, 2.5, 1.5)),
    case("norm fro", lambda x: torch.norm(x, p="fro"), A),
    case("norm inf", lambda x: torch.norm(x, p=float("inf"), dim=1), separated(3, 4)),
    case("norm -inf", lambda x: torch.norm(x, p=-float("inf"), dim=1), lambda g: separated(3, 4)(g) ** 2 + 1),
    case("norm 0 is a constant", lambda x: torch.norm(x, p=0, dim=1) * x[:, 0], X),
    case("norm nuc", lambda x: torch.norm(x, p="nuc"), normal(2, 3), tolerance=1e-7),
    *(case(f"norm p = {p} where one vector stays 0", lambda x, p=p: torch.norm(x * torch.tensor([[1.0], [0.0], [2.0]]).double(), p=p, dim=1), X) for p in (2, 3, 0.5, -1)),
    case("linalg.norm", torch.linalg.norm, A),
    case("linalg.norm of a vector", torch.linalg.norm, normal(4)),
    case("linalg.norm ord 1 of a matrix", lambda x: torch.linalg.norm(x, 1), separated(3, 4)),
    case("linalg.norm ord 2 of a matrix", lambda x: torch.linalg.norm(x, 2), A, tolerance=1e-7),
    *(case(f"vector_norm {p}", lambda x, p=p: torch.linalg.vector_norm(x, p), X) for p in (1, 2, 3, 3.5, -1, -2)),
    case("vector_norm inf", lambda x: torch.linalg.vector_norm(x, float("inf"), dim=0), separated(3, 4)),
    case("vector_norm axes keepdim", lambda x: torch.linalg.vector_norm(x, 3, (0, 2), True), away(2, 3, 4)),
    case("matrix_norm fro", lambda x: torch.linalg.matrix_norm(x), C),
    case("matrix_norm 1", lambda x: torch.linalg.matrix_norm(x, 1), separated(3, 4)),
    case("matrix_norm inf", lambda x: torch.linalg.matrix_norm(x, float("inf"), keepdim=True), separated(3, 4)),
    case("matrix_norm nuc", lambda x: torch.linalg.matrix_norm(x, "nuc"), normal(2, 3), tolerance=1e-7),
    case("matrix_norm 2", lambda x: torch.linalg.matrix_norm(x, 2), normal(2, 3), tolerance=1e-7),
    case("renorm", lambda x: torch.renorm(x, 2, 0, 1.0), X),
    case("F.normalize", F.normalize, A),
    case("F.normalize p = 3 axis", lambda x: F.normalize(x, p=3.0, dim=0), X),
    case("F.normalize p = 1", lambda x: F.normalize(x, p=1.0, dim=-1), X),
    case("norm squared", lambda x: x.norm(dim=-1) ** 2, A),
    case("sin(cos(‖x‖² + 1))", lambda x: torch.sin(torch.cos((x * x).sum() + 1)), normal(4)),
]

SOFT = [
    case("logsumexp", lambda x: torch.logsumexp(x, 1), A),
    case("logsumexp keepdim", lambda x: x.logsumexp(0, keepdim=True), A),
    case("logsumexp axes", lambda x: torch.logsumexp(x, (0, 2)), C),
    case("logsumexp of large numbers", lambda x: torch.logsumexp(x, 0), values(1000.0, 999.0, 998.5, -1000.0)),
    case("special.logsumexp", lambda x: torch.special.logsumexp(x, -1), A),
    case("softmax", lambda x: torch.softmax(x, -1), A),
    case("Tensor.softmax", lambda x: x.softmax(0), A),
    case("F.softmax", lambda x: F.softmax(x, dim=1), C),
    case("softmax dtype", lambda x: F.softmax(x, dim=-1, dtype=torch.float64), A),
    case("softmax of large numbers", lambda x: torch.softmax(x, 0), values(1000.0, 999.0, 998.5, -1000.0)),
    case("softmax with -inf", lambda x: torch.softmax(x.masked_fill(torch.eye(3, 4, dtype=torch.bool), -torch.inf), -1), A),
    case("softmax of size 1", lambda x: torch.softmax(x, -1), normal(3, 1)),
    case("log_softmax", lambda x: torch.log_softmax(x, -1), A),
    case("F.log_softmax", lambda x: F.log_softmax(x, dim=0), A),
    case("Tensor.log_softmax", lambda x: x.log_softmax(1), C),
    case("softmin", lambda x: F.softmin(x, dim=-1), A),
    case("nn.Softmax", nn.Softmax(-1), A),
    case("nn.Softmin", nn.Softmin(0), A),
    case("nn.LogSoftmax", nn.LogSoftmax(1), A),
    case("nn.Softmax2d", nn.Softmax2d(), normal(1, 3, 2, 2)),
    case("special.softmax", lambda x: torch.special.softmax(x, 1) + torch.special.log_softmax(x, 1), A),
    case("logcumsumexp", lambda x: torch.logcumsumexp(x, 1), A),
    case("softmax by hand", lambda x: (lambda e: e / e.sum(-1, keepdim=True))(torch.exp(x - x.max(-1, keepdim=True).values)), separated(2, 3)),
]

LOSSES = [
    case("mse_loss", F.mse_loss, A, normal(3, 4)),
    case("mse_loss sum", lambda x, y: F.mse_loss(x, y, reduction="sum"), A, normal(3, 4)),
    case("mse_loss none", lambda x, y: F.mse_loss(x, y, reduction="none"), A, normal(3, 4)),
    case("nn.MSELoss", nn.MSELoss(), A, normal(3, 4)),
    case("l1_loss", F.l1_loss, X, lambda g: torch.zeros(3, 4).double() + 0.05),
    case("smooth_l1_loss", lambda x: F.smooth_l1_loss(x, torch.zeros(14).double()), values(-7, -4, -2.4, -1.6, -0.6, -0.2, 0.3, 0.7, 1.4, 2.6, 3.7, 5, 7, 9)),
    case("smooth_l1_loss beta", lambda x: F.smooth_l1_loss(x, torch.zeros(6).double(), beta=2.0, reduction="sum"), values(-7, -4, -1.4, -0.6, 0.6, 3)),
    case("huber_loss", lambda x: F.huber_loss(x, torch.zeros(6).double(), delta=2.0), values(-7, -4, -1.4, -0.6, 0.6, 3)),
    case("huber_loss none", lambda x: F.huber_loss(x, torch.zeros(6).double(), reduction="none"), values(-7, -4, -1.4, -0.6, 0.6, 3)),
    case("binary_cross_entropy", F.binary_cross_entropy, lambda g: 0.2 + 0.6 * torch.rand(3, 4, generator=g).double(), lambda g: 0.2 + 0.6 * torch.rand(3, 4, generator=g).double()),
    case("binary_cross_entropy weight", lambda x: F.binary_cross_entropy(x, torch.ones(3).double(), weight=torch.tensor([1.0, 2.0, 3.0]).double()), lambda g: 0.2 + 0.6 * torch.rand(3, generator=g).double()),
    case("binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, A, P),
    case("binary_cross_entropy_with_logits pos_weight", lambda x: F.binary_cross_entropy_with_logits(x, torch.ones(3, 4).double(), pos_weight=torch.tensor([2.0]).double(), reduction="none"), A),
    case("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1])), A),
    case("cross_entropy none", lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1]), reduction="none"), A),
    case("cross_entropy smoothing", lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1]), label_smoothing=0.1), A),
    case("cross_entropy weights", lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1]), weight=torch.tensor([1.0, 2.0, 3.0, 4.0]).double()), A),
    case("cross_entropy ignore_index", lambda x: F.cross_entropy(x, torch.tensor([0, -100, 1])), A),
    case("cross_entropy probabilities", lambda x: F.cross_entropy(x, torch.full((3, 4), 0.25).double()), A),
    case("nn.CrossEntropyLoss", lambda x: nn.CrossEntropyLoss()(x, torch.tensor([0, 3, 1])), A),
    case("nll_loss", lambda x: F.nll_loss(F.log_softmax(x, -1), torch.tensor([0, 3, 1])), A),
    case("nll_loss sum", lambda x: F.nll_loss(x * x, torch.tensor([0, 3, 1]), reduction="sum"), A),
    case("nll_loss more axes", lambda x: F.nll_loss(x * x, torch.tensor([[0, 2, 1, 1], [1, 0, 0, 2]])), C),
    case("kl_div", lambda x, y: F.kl_div(F.log_softmax(x, -1), F.softmax(y, -1), reduction="batchmean"), A, normal(3, 4)),
    case("kl_div log_target", lambda x, y: F.kl_div(F.log_softmax(x, -1), F.log_softmax(y, -1), reduction="sum", log_target=True), A, normal(3, 4)),
    case("soft_margin_loss", lambda x: F.soft_margin_loss(x, torch.ones(3, 4).double()), A),
    case("hinge_embedding_loss", lambda x: F.hinge_embedding_loss(x, torch.tensor([1.0, -1.0, -1.0]).double()), values(0.3, 0.4, 2.0)),
    case("margin_ranking_loss", lambda x, y: F.margin_ranking_loss(x, y, torch.ones(4).double(), margin=0.5), values(1.0, 3.0, -1.0, 2.0), values(2.0, 1.0, 3.0, -1.0)),
    case("triplet_margin_loss", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=30.0), A, normal(3, 4), normal(3, 4)),
    case("cosine_embedding_loss", lambda x, y: F.cosine_embedding_loss(x, y, torch.tensor([1.0, 1.0, 1.0]).double()), A, normal(3, 4)),
    case("poisson_nll_loss", lambda x, y: F.poisson_nll_loss(x, y), A, P),
    case("gaussian_nll_loss", F.gaussian_nll_loss, A, normal(3, 4), P),
    case("multi_margin_loss", lambda x: F.multi_margin_loss(x, torch.tensor([0])), values(0.3, 0.9, -2.0), refused="rarely used"),
    case("multilabel_soft_margin_loss", lambda x: F.multilabel_soft_margin_loss(x, torch.ones(3, 4).double()), A),
]

CASES: tuple[Case, ...] = listed(PRODUCTS + MOMENTS + NORMS + SOFT + LOSSES)
