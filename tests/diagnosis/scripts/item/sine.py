import math

import torch

x = torch.tensor(1.0, requires_grad=True)
y = x * math.sin(x)  # <- here
y.backward()
