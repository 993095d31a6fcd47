import torch


class Model:
    def __init__(self, dev):
        self.w = torch.randn(3, requires_grad=True).to(torch.float64)  # <- here

    def loss(self, x):
        return (self.w * x).sum() ** 2


m = Model("cpu")
loss = m.loss(torch.ones(3, dtype=torch.float64))
loss.backward()
with torch.no_grad():
    if m.w.grad is None:
        print("none?")
