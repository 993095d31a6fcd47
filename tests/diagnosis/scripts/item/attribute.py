import torch


class Model:
    def __init__(self, start):
        self.w = torch.tensor(start, requires_grad=True)
        self.last = None

    def value(self):
        self.last = float(self.w)  # <- here
        return torch.ones(2).sum() * self.last


model = Model(1.5)
loss = model.value()
loss.backward()
