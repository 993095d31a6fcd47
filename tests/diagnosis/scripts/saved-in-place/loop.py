import torch

state = torch.zeros(3)
w = torch.ones(3, requires_grad=True)
energy = 0.0
for k in range(3):
    state[k] = 1.0  # <- here
    energy = energy + (w * state).sum()
energy.backward()
