import torch


def u(X):
    return torch.linalg.norm(X, dim=1, keepdim=True) ** 3  # <- here


X = torch.tensor([[0.0, 0.0], [1.0, 2.0]], requires_grad=True)
y = u(X)
g = torch.autograd.grad(y.sum(), X, create_graph=True)[0]
h = torch.autograd.grad(g[:, 0].sum(), X)[0]
