import torch


class Potential:
    def __init__(self, k):
        self.k = k

    def energy(self, q):
        return 0.5 * self.k * q**2

    def force(self, q):
        q = q.clone().requires_grad_(True)
        return -torch.autograd.grad(self.energy(q), q)[0]  # <- here


p = Potential(2.0)
p.force(torch.tensor([1.0, 2.0, 3.0]))
