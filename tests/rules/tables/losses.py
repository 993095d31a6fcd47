# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Losses and distances: every reduction, weight and option; those in common use are in ``reductions`` and ``products``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..case import Case, case, listed
from ..points import normal, positive, probabilities, separated, uniform, values

A, B, C = normal(3, 4), normal(3, 4), normal(2, 3, 4)
APART = separated(3, 4)
Y, YS = torch.tensor([0, 3, 1]), torch.tensor([[0, 2, 1, 1], [1, -100, 0, 2]])
SIGNS = torch.tensor([1.0, -1.0, -1.0, 1.0]).double()
W3, W4 = torch.tensor([0.5, 2.0, 1.5]).double(), torch.tensor([0.5, 2.0, 1.5, 0.8]).double()
FAR = uniform(4.0, 5.0, 3, 4)

CHUNKED = [  # not in torch 2.7
    case(f"linear_cross_entropy {reduction}", lambda x, w, b, reduction=reduction: F.linear_cross_entropy(x, w, Y, linear_bias=b, reduction=reduction, options=nn.LinearCrossEntropyOptions(batch_chunk_size=2)), A, normal(5, 4), normal(5))
    for reduction in ("none", "mean", "sum") if hasattr(F, "linear_cross_entropy")
]

LOSSES = [
    case("mse_loss weight", lambda x, y: F.mse_loss(x, y, weight=W4.expand(3, 4)), A, B),
    case("l1_loss none", lambda x: F.l1_loss(x, torch.zeros(3, 4).double(), reduction="none"), APART),
    case("smooth_l1_loss beta 0", lambda x: F.smooth_l1_loss(x, torch.zeros(3, 4).double(), beta=0.0), APART),
    case("huber_loss of two", lambda x, y: F.huber_loss(x, y, delta=20.0), A, B),
    case("binary_cross_entropy at 0 and 1", lambda x: F.binary_cross_entropy(x * torch.tensor([0.0, 1.0]).double() + torch.tensor([1.0, 0.0]).double(), torch.ones(2).double(), reduction="none"), uniform(0.3, 0.6, 2)),
    case("binary_cross_entropy_with_logits all", lambda x, y: F.binary_cross_entropy_with_logits(x, y, weight=W4, pos_weight=W4 + 1, reduction="sum"), A, B),
    case("cross_entropy one row", lambda x: F.cross_entropy(x, torch.tensor(2)), normal(4)),
    case("cross_entropy more axes", lambda x: F.cross_entropy(x, YS, weight=W3, label_smoothing=0.2), C),
    case("cross_entropy more axes, sum", lambda x: F.cross_entropy(x, YS, weight=W3, label_smoothing=0.2, reduction="sum"), C),
    case("cross_entropy more axes, none", lambda x: F.cross_entropy(x, YS, label_smoothing=0.2, reduction="none"), C),
    case("cross_entropy moving probabilities", lambda x, p: F.cross_entropy(x, p, weight=W4, label_smoothing=0.1), A, probabilities(3, 4)),
    case("cross_entropy probabilities, none", lambda x, p: F.cross_entropy(x, p.transpose(1, -1), reduction="none"), C, probabilities(2, 4, 3)),
    case("nll_loss weight, none", lambda x: F.nll_loss(torch.sin(x), Y, weight=W4, reduction="none"), A),
    case("nll_loss ignore_index", lambda x: F.nll_loss(torch.sin(x), YS, weight=W3), C),
    case("nn.NLLLoss of images", lambda x: nn.NLLLoss()(torch.sin(x), torch.tensor([[[0, 2], [1, 0]]])), normal(1, 3, 2, 2)),
    case("kl_div none", lambda x, y: F.kl_div(x, y, reduction="none"), A, uniform(1.5, 3.0, 3, 4)),
    case("kl_div of zero targets", lambda x: F.kl_div(x, torch.tensor([0.0, 0.5, 0.5, 0.0]).double(), reduction="sum"), A),
    case("poisson_nll_loss full", lambda x, y: F.poisson_nll_loss(x, y, full=True), A, uniform(1.4, 3.0, 3, 4)),
    case("poisson_nll_loss of rates", lambda x, y: F.poisson_nll_loss(x, y, log_input=False, reduction="sum"), uniform(1.5, 3.0, 3, 4), uniform(0.2, 0.6, 3, 4)),
    case("gaussian_nll_loss full", lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True, reduction="sum"), A, B, positive(3, 1)),
    case("soft_margin_loss of moving targets", lambda x, y: F.soft_margin_loss(x, y, reduction="none"), A, B),
    case("hinge_embedding_loss margin", lambda x: F.hinge_embedding_loss(x, SIGNS, margin=2.0, reduction="none"), values(0.3, 0.4, 5.0, -1.0)),
    case("margin_ranking_loss sum", lambda x, y: F.margin_ranking_loss(x, y, SIGNS, margin=9.0, reduction="sum"), normal(4), normal(4)),
    case("cosine_embedding_loss negative", lambda x, y: F.cosine_embedding_loss(x, y, torch.tensor([1.0, -1.0, -1.0]).double(), margin=-0.9, reduction="none"), lambda g: 2 + normal(3, 4)(g) / 3, lambda g: 2 + normal(3, 4)(g) / 3, tolerance=1e-7),
    case("triplet_margin_loss swap", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=30.0, swap=True, p=3.0, reduction="none"), A, FAR, lambda g: -9 - normal(3, 4)(g).abs()),
    case("triplet_margin_with_distance_loss", lambda a, p, n: F.triplet_margin_with_distance_loss(a, p, n, margin=30.0), A, B, FAR),
    case("multi_margin_loss batch", lambda x: F.multi_margin_loss(x, Y, p=2, margin=20.0, weight=W4), A),
    case("multi_margin_loss none", lambda x: F.multi_margin_loss(x, Y, margin=20.0, reduction="none"), A),
    case("multilabel_margin_loss", lambda x: F.multilabel_margin_loss(x / 20, torch.tensor([[3, 0, -1, 1], [1, -1, 0, 0], [-1, 2, 1, 0]]), reduction="none"), A),
    case("multilabel_margin_loss one row", lambda x: F.multilabel_margin_loss(x / 20, torch.tensor([3, 0, -1, 1])), normal(4)),
    case("multilabel_soft_margin_loss weight", lambda x: F.multilabel_soft_margin_loss(x, torch.tensor([0.0, 1.0, 1.0, 0.0]).double().expand(3, 4), weight=W4, reduction="none"), A),
    case("ctc_loss", lambda x: F.ctc_loss(torch.log_softmax(x, -1), torch.tensor([[1, 2]]), (4,), (2,)), normal(4, 1, 3)),
    *(case(f"ctc_loss {reduction}", lambda x, reduction=reduction: F.ctc_loss(x, torch.tensor([[1, 2, 2], [3, 7, 9]]), torch.tensor([6, 4]), torch.tensor([3, 1]), reduction=reduction), normal(6, 2, 4)) for reduction in ("none", "mean", "sum")),
    case("ctc_loss without batch", lambda x: F.ctc_loss(x, torch.tensor([0, 2]), torch.tensor(5), torch.tensor(2), blank=1), normal(5, 3)),
    case("ctc_loss of labels in a row", lambda x: F.ctc_loss(torch.log_softmax(x, -1), torch.tensor([1, 2, 3]), (5, 3, 2), (2, 0, 1), reduction="none"), normal(5, 3, 4)),
    case("ctc_loss too short", lambda x: F.ctc_loss(x, torch.tensor([[1, 1], [2, 1]]), (2, 2), (2, 2), reduction="none", zero_infinity=True), normal(2, 2, 3)),
    *CHUNKED,
    case("multilabel_margin_loss 0-d", lambda x: F.multilabel_margin_loss(x, torch.tensor(0)), normal()),
    case("nn.CTCLoss", lambda x: nn.CTCLoss()(x, torch.tensor([[1, 2]]), (4,), (2,)), normal(4, 1, 3)),
]

DISTANCES = [
    case("cosine_similarity of zero", lambda x, y: F.cosine_similarity(x, y, dim=-1, eps=1.0), lambda g: torch.zeros(3, 4).double(), lambda g: 3 + normal(3, 4)(g) / 3),
    case("cosine_similarity of unlike shapes", lambda x, y: F.cosine_similarity(x, y, dim=-1), normal(2, 3, 4), normal(4)),
    case("pairwise_distance p = inf", lambda x, y: F.pairwise_distance(x, y, p=torch.inf), separated(3, 4), lambda g: torch.zeros(3, 4).double()),
    case("cdist p = inf", lambda x, y: torch.cdist(x, y, p=torch.inf), lambda g: normal(3, 4)(g) + torch.tensor([0.0, 12.0, 0.0, 0.0]).double(), normal(2, 4)),
    case("cdist p = 0", lambda x, y: torch.cdist(x, y, p=0.0) * x[:, :1], separated(3, 4), lambda g: torch.zeros(1, 4).double()),
    case("cdist of many batches", lambda x, y: torch.cdist(x, y), lambda g: 4 + normal(2, 1, 3, 2)(g), normal(3, 2, 2)),
    case("cdist with itself", lambda x: torch.cdist(x, x), separated(3, 2)),
    case("squared distances where points meet", lambda x, y: torch.exp(-((x[:, None] - y) ** 2).sum(-1)), lambda g: torch.ones(2, 2).double(), lambda g: torch.ones(1, 2).double()),
    case("pdist of points in the plane", torch.pdist, separated(4, 2)),
    case("pdist p = 3", lambda x: F.pdist(x, p=3.0), separated(4, 2)),
    case("dist of far points", torch.dist, FAR, B),
    case("Tensor.dist p = 1", lambda x, y: x.dist(y, 1), FAR, lambda g: torch.zeros(3, 4).double()),
    case("dist p = 3", lambda x, y: torch.dist(x, y, p=3.0), FAR, lambda g: -positive(4)(g)),
]

CASES: tuple[Case, ...] = listed(LOSSES + DISTANCES)
