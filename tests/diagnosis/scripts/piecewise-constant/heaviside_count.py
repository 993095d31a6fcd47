import torch

threshold = torch.tensor(0.5, requires_grad=True)
data = torch.rand(20)
count = (data > threshold).sum() / 20.0  # <- here
count.backward()
