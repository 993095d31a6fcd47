import numpy as np
import torch

w = torch.nn.Parameter(torch.randn(3))
data = np.random.randn(5, 3)
pred = data @ w.numpy()  # <- here
