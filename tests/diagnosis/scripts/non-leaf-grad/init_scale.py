import math

import torch

fan_in = 4
W = torch.randn(fan_in, 2, requires_grad=True) / math.sqrt(fan_in)  # <- here
x = torch.randn(5, fan_in)
y = torch.randn(5, 2)
for i in range(2):
    loss = ((x @ W - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        if W.grad is not None:
            W -= 0.1 * W.grad
    break
