import torch
from torch import nn


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)

    def forward(self, x):
        h = torch.sin(self.first(x))
        h = self.norm(h)  # <- here
        return self.last(h)


x = torch.rand(10, 1, requires_grad=True)
u = Field()(x)
u_x = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]
