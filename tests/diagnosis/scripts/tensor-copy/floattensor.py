import torch

a = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
v = torch.FloatTensor([a * b, a + b])  # <- here
v.sum().backward()
