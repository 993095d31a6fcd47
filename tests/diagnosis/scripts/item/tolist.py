import math

import torch

x = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
values = [math.exp(v) for v in x.tolist()]  # <- here
y = torch.tensor(values, requires_grad=True)
y.sum().backward()
print(x.grad)
