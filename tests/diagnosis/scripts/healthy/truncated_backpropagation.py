import torch
from torch import nn

torch.manual_seed(0)
rnn, head = nn.LSTM(2, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.1)
state = None
average = torch.zeros(())
for _ in range(6):
    out, state = rnn(torch.randn(3, 1, 2), state)
    loss = head(out).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    state = tuple(s.detach() for s in state)
    average = 0.9 * average + 0.1 * loss.detach()
