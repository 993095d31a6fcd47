import torch
from torch import nn

cell = nn.RNNCell(2, 3)
state = torch.zeros(1, 3)
for _ in range(6):
    state = cell(torch.randn(1, 2), state)  # <- here
    loss = state.pow(2).sum()
    cell.zero_grad()
    loss.backward(retain_graph=True)
