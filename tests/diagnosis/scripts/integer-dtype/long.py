import torch

x = torch.tensor([1.2, 2.7], requires_grad=True)
index = x.long()  # <- here
y = (index * 2.0).sum()
y.backward()
