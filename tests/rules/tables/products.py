# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Products of matrices and tensors: what is linear in each argument."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F

from ..case import Case, analytic, case, listed, seeded
from ..points import away, normal

M = torch.linspace(-1.3, 1.7, 12, dtype=torch.float64).reshape(3, 4)
SPARSE = torch.where(M > 0.5, M, 0.0)

MATMUL = [
    analytic("matmul 2-d 2-d", torch.matmul, normal(3, 4), normal(4, 2)),
    analytic("matmul 1-d 1-d", torch.matmul, normal(4), normal(4)),
    analytic("matmul 2-d 1-d", torch.matmul, normal(3, 4), normal(4)),
    analytic("matmul 1-d 2-d", torch.matmul, normal(4), normal(4, 3)),
    analytic("matmul 3-d 2-d", torch.matmul, normal(2, 3, 4), normal(4, 2)),
    analytic("matmul 2-d 3-d", torch.matmul, normal(3, 4), normal(2, 4, 2)),
    analytic("matmul 3-d 1-d", torch.matmul, normal(2, 3, 4), normal(4)),
    analytic("matmul 1-d 3-d", torch.matmul, normal(4), normal(2, 4, 3)),
    analytic("matmul 3-d 3-d", torch.matmul, normal(2, 3, 4), normal(2, 4, 2)),
    *(case(f"sparse @ x, {name}", lambda x, v, s=s: (s @ x, torch.mm(s, x * x), torch.sparse.mm(s, x), torch.sparse.addmm(x[:3], s, x), x.T @ s.t(), s.mv(v)), normal(4, 2), normal(4)) for name, s in (("COO", SPARSE.to_sparse()), ("CSR", SPARSE.to_sparse_csr()))),
    analytic("matmul broadcast batches", torch.matmul, normal(2, 1, 3, 4), normal(3, 4, 2)),
    analytic("matmul 4-d 1-d", torch.matmul, normal(2, 2, 3, 4), normal(4)),
    analytic("matmul size 0", torch.matmul, normal(0, 4), normal(4, 2)),
    analytic("matmul inner size 0", torch.matmul, normal(3, 0), normal(0, 2)),
    analytic("x @ x", lambda x: x @ x, normal(3, 3)),
    analytic("x @ xᵀ", lambda x: x @ x.T, normal(3, 4)),
    analytic("@", operator.matmul, normal(3, 4), normal(4, 2)),
    case("tensor @ x", lambda x: M @ x, normal(4, 2)),
    case("x @ tensor", lambda x: x @ M, normal(2, 3)),
    case("vector tensor @ x", lambda x: M[0] @ x, normal(4, 2)),
    case("batched tensor @ x", lambda x: M.reshape(2, 2, 3) @ x, normal(3, 2)),
    case("x @ batched tensor", lambda x: x @ M.reshape(2, 3, 2), normal(4, 3)),
    analytic("mm", torch.mm, normal(3, 4), normal(4, 2)),
    analytic("mv", torch.mv, normal(3, 4), normal(4)),
    analytic("bmm", torch.bmm, normal(2, 3, 4), normal(2, 4, 2)),
    analytic("Tensor.mm", lambda x, y: x.mm(y), normal(3, 4), normal(4, 2)),
    analytic("Tensor.matmul", lambda x, y: x.matmul(y), normal(3, 4), normal(4, 2)),
    analytic("Tensor.mv", lambda x, y: x.mv(y), normal(3, 4), normal(4)),
    analytic("Tensor.bmm", lambda x, y: x.bmm(y), normal(2, 3, 4), normal(2, 4, 2)),
    analytic("dot", torch.dot, normal(4), normal(4)),
    analytic("vdot", torch.vdot, normal(4), normal(4), oracle="chebyshev"),
    analytic("inner 1-d", torch.inner, normal(4), normal(4)),
    analytic("inner 2-d", torch.inner, normal(3, 4), normal(2, 4)),
    analytic("inner 0-d", torch.inner, normal(), normal(2, 4)),
    analytic("outer", torch.outer, normal(3), normal(4)),
    analytic("ger", torch.ger, normal(3), normal(4)),
    analytic("linalg.vecdot", lambda x, y: torch.linalg.vecdot(x, y), normal(3, 4), normal(3, 4), oracle="chebyshev"),
    analytic("linalg.vecdot axis", lambda x, y: torch.linalg.vecdot(x, y, dim=0), normal(3, 4), normal(4), oracle="chebyshev"),
    analytic("linalg.matmul", torch.linalg.matmul, normal(3, 4), normal(4, 2)),
    analytic("linalg.multi_dot", lambda x, y, z: torch.linalg.multi_dot([x, y, z]), normal(3, 4), normal(4, 2), normal(2, 3)),
    analytic("linalg.multi_dot vectors", lambda x, y, z: torch.linalg.multi_dot([x, y, z]), normal(4), normal(4, 2), normal(2)),
    analytic("chain_matmul", lambda x, y, z: torch.chain_matmul(x, y, z), normal(3, 4), normal(4, 2), normal(2, 3)),
    analytic("tensordot number", lambda x, y: torch.tensordot(x, y, 2), normal(2, 3, 4), normal(3, 4, 2)),
    analytic("tensordot axes", lambda x, y: torch.tensordot(x, y, dims=([1, 0], [0, 2])), normal(2, 3, 4), normal(3, 4, 2)),
    analytic("tensordot none", lambda x, y: torch.tensordot(x, y, 0), normal(2), normal(3)),
    analytic("kron", torch.kron, normal(2, 3), normal(3, 2)),
    analytic("kron of vectors", torch.kron, normal(2), normal(3)),
    analytic("addmm", lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2.0), normal(3, 2), normal(3, 4), normal(4, 2)),
    analytic("addmm broadcast", torch.addmm, normal(2), normal(3, 4), normal(4, 2)),
    analytic("addmv", lambda b, x, y: torch.addmv(b, x, y, beta=0.5, alpha=2.0), normal(3), normal(3, 4), normal(4)),
    analytic("addr", lambda b, x, y: torch.addr(b, x, y, beta=0.5, alpha=2.0), normal(3, 4), normal(3), normal(4)),
    analytic("baddbmm", lambda b, x, y: torch.baddbmm(b, x, y, beta=0.5, alpha=2.0), normal(2, 3, 2), normal(2, 3, 4), normal(2, 4, 2)),
    analytic("addbmm", lambda b, x, y: torch.addbmm(b, x, y, beta=0.5, alpha=2.0), normal(3, 2), normal(2, 3, 4), normal(2, 4, 2)),
    analytic("linalg.cross", torch.linalg.cross, normal(4, 3), normal(4, 3)),
    analytic("cross axis", lambda x, y: torch.cross(x, y, dim=0), normal(3, 4), normal(3, 4)),
    analytic("cross broadcast", torch.linalg.cross, normal(4, 3), normal(1, 3)),
    analytic("trace", lambda x: torch.trace(x @ x), normal(3, 3)),
]

EINSUM = [
    analytic(f"einsum {pattern}", lambda *x, pattern=pattern: torch.einsum(pattern, *x), *(normal(*s) for s in shapes))
    for pattern, shapes in (
        ("ij,jk->ik", ((3, 4), (4, 2))), ("ij,jk", ((3, 4), (4, 2))), ("bij,bjk->bik", ((2, 3, 4), (2, 4, 2))),
        ("i,j->ij", ((3,), (4,))), ("i,i->", ((4,), (4,))), ("ii->", ((3, 3),)), ("ii->i", ((3, 3),)), ("ij->ji", ((3, 4),)),
        ("ij->", ((3, 4),)), ("ij->j", ((3, 4),)), ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 2))), ("...i,i", ((2, 3, 4), (4,))),
        ("bi,ij,bj->b", ((2, 3), (3, 4), (2, 4))), ("ij,ij->ij", ((3, 4), (3, 4))), ("bhid,bhjd->bhij", ((1, 2, 3, 2), (1, 2, 3, 2))),
        ("a,b,c,d->abcd", ((2,), (2,), (2,), (2,))), ("ijk,jl,km->ilm", ((2, 3, 2), (3, 2), (2, 2))), ("nd,md->nm", ((3, 2), (4, 2))),
        ("b...,b...->...", ((2, 3, 4), (2, 3, 4))), ("ij,j->ij", ((3, 4), (4,))),
    )
] + [
    analytic("einsum with spaces", lambda x, y: torch.einsum(" i j , j k -> i k ", x, y), normal(3, 4), normal(4, 2)),
    analytic("einsum operands in a list", lambda x, y: torch.einsum("ij,jk->ik", [x, y]), normal(3, 4), normal(4, 2)),
    analytic("einsum sublists", lambda x, y: torch.einsum(x, [0, 1], y, [1, 2], [0, 2]), normal(3, 4), normal(4, 2)),
    analytic("einsum the same twice", lambda x: torch.einsum("ij,ij->i", x, x), normal(3, 4)),
    case("einsum with a plain tensor", lambda x: torch.einsum("oi,bi->bo", M, x), normal(2, 4)),
    case("einsum plain, moving, plain", lambda x: torch.einsum("oi,bi,po->bp", M, x, M.T), normal(2, 4)),
]

LAYERS = [
    analytic("F.linear", F.linear, normal(2, 3), normal(4, 3), normal(4)),
    analytic("F.linear without bias", F.linear, normal(2, 3), normal(4, 3)),
    analytic("F.linear one vector", F.linear, normal(3), normal(4, 3), normal(4)),
    analytic("F.linear more axes", F.linear, normal(2, 2, 3), normal(4, 3), normal(4)),
    analytic("F.linear weight vector", F.linear, normal(2, 3), normal(3)),
    analytic("F.linear bias= by name", lambda x, w, b: F.linear(x, bias=b, weight=w), normal(2, 3), normal(4, 3), normal(4)),
    case("nn.Linear", seeded(torch.nn.Linear, 3, 4), normal(2, 3)),
    case("nn.Linear without bias", seeded(torch.nn.Linear, 3, 4, bias=False), normal(2, 2, 3)),
    analytic("F.bilinear", F.bilinear, normal(2, 3), normal(2, 4), normal(2, 3, 4), normal(2)),
    case("nn.Bilinear", seeded(torch.nn.Bilinear, 3, 4, 2), normal(2, 3), normal(2, 4)),
]

DISTANCES = [
    case("cosine_similarity", F.cosine_similarity, normal(3, 4), normal(3, 4)),
    case("cosine_similarity axis", lambda x, y: F.cosine_similarity(x, y, dim=0), normal(3, 4), normal(3, 1)),
    case("nn.CosineSimilarity", torch.nn.CosineSimilarity(), normal(3, 4), normal(3, 4)),
    case("pairwise_distance", F.pairwise_distance, normal(3, 4), normal(3, 4)),
    case("pairwise_distance p = 3", lambda x, y: F.pairwise_distance(x, y, p=3.0, keepdim=True), away(3, 4), lambda g: torch.zeros(3, 4).double()),
    case("cdist", torch.cdist, lambda g: normal(3, 4)(g) + 4, normal(2, 4)),
    case("cdist p = 1", lambda x, y: torch.cdist(x, y, p=1.0), lambda g: normal(3, 4)(g).abs() + 4, lambda g: -normal(2, 4)(g).abs()),
    case("cdist p = 3", lambda x, y: torch.cdist(x, y, p=3.0), lambda g: normal(3, 4)(g).abs() + 4, lambda g: -normal(2, 4)(g).abs()),
    case("cdist batches", torch.cdist, lambda g: normal(2, 3, 4)(g) + 4, normal(2, 2, 4)),
    case("pdist", F.pdist, lambda g: 3 * torch.eye(3, 4).double() + normal(3, 4)(g) / 5),
]

CASES: tuple[Case, ...] = listed(MATMUL + EINSUM + LAYERS + DISTANCES)
