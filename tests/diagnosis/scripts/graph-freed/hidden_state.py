import torch
from torch import nn

cell = nn.RNNCell(2, 3)
optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
state = torch.zeros(1, 3)


def train(x, state):
    state = cell(x, state)
    loss = state.pow(2).sum()
    optimizer.zero_grad()
    loss.backward()  # <- here
    optimizer.step()
    return state


for _ in range(3):
    state = train(torch.randn(1, 2), state)
