import torch
from torch import nn
from torch.nn import functional as F


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, p):
        h = F.leaky_relu(self.a(p), 0.1)  # <- here
        return self.b(h)


def laplacian(f, p):
    p = p.clone().requires_grad_()
    g = torch.autograd.grad(f(p).sum(), p, create_graph=True)[0]
    return sum(torch.autograd.grad(g[:, i].sum(), p, create_graph=True)[0][:, i] for i in range(2))


print(laplacian(Field(), torch.rand(5, 2)).abs().max())
