import torch
from torch import nn


class Solver:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1)).double()
        self.x = torch.linspace(0, 1, 15, dtype=torch.float64)[:, None].requires_grad_()
        self.iter = 0
        self.adam = torch.optim.Adam(self.net.parameters())
        self.lbfgs = torch.optim.LBFGS(self.net.parameters(), max_iter=5, line_search_fn="strong_wolfe")

    def loss(self):
        u = self.x * (1 - self.x) * self.net(self.x)
        ux = torch.autograd.grad(u.sum(), self.x, create_graph=True)[0]
        uxx = torch.autograd.grad(ux.sum(), self.x, create_graph=True)[0]
        return ((uxx + torch.sin(torch.pi * self.x)) ** 2).mean()

    def closure(self):
        self.lbfgs.zero_grad()
        loss = self.loss()
        loss.backward()
        self.iter += 1
        if self.iter % 3 == 0:
            print("Iter %d, Loss: %.5e" % (self.iter, loss.item()))
        return loss

    def train(self):
        for _ in range(3):
            self.adam.zero_grad()
            loss = self.loss()
            loss.backward()
            self.adam.step()
        self.lbfgs.step(self.closure)


Solver().train()
