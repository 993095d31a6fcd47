import torch

state = torch.zeros(4)
k = torch.tensor(1.5, requires_grad=True)
energy = 0.0
for i in range(1, 4):
    state[i] = torch.exp(k * state[i - 1])  # <- here
    energy = energy + state[i] ** 2
energy.backward()
